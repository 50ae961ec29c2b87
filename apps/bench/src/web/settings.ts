// What a visitor asked for, in the page's address, so that it can be sent to someone else.

export interface Settings {
  readonly suite: string;
  /** Only cases whose name contains it. */
  readonly only: string;
  readonly backends: readonly string[];
  readonly peers: readonly string[];
  readonly threads: number;
  readonly precision: 'fast' | 'strict';
  readonly runs: number;
}

/** Backends and peers that a page knows. */
export const pageBackends: readonly string[] = ['workers', 'gpujs', 'js'];
export const pagePeers: readonly string[] = ['tfjs-webgl', 'tfjs-wasm', 'tfjs-cpu'];

export interface Choices {
  readonly suites: readonly string[];
  readonly backends: readonly string[];
  readonly peers: readonly string[];
  readonly threads: number;
}

function listed(text: string | null, known: readonly string[]): readonly string[] | null {
  return text === null ? null : text.split(',').filter((name) => known.includes(name));
}

function whole(text: string | null, minimum: number, maximum: number, otherwise: number): number {
  const value = Number(text);
  if (text === null || !Number.isInteger(value)) return otherwise;
  return Math.min(maximum, Math.max(minimum, value));
}

/** Settings of an address's search part. What is missing or makes no sense takes its default: all that is there. */
export function settingsOf(search: string, choices: Choices): Settings {
  const parameters = new URLSearchParams(search);
  const suite = parameters.get('suite');
  return {
    suite: suite !== null && choices.suites.includes(suite) ? suite : choices.suites[0]!,
    only: parameters.get('only') ?? '',
    backends: listed(parameters.get('backends'), choices.backends) ?? choices.backends,
    peers: listed(parameters.get('peers'), choices.peers) ?? choices.peers,
    threads: whole(parameters.get('threads'), 1, 8, choices.threads),
    precision: parameters.get('precision') === 'strict' ? 'strict' : 'fast',
    runs: whole(parameters.get('runs'), 5, 200, 9),
  };
}

/** The search part of an address that `settingsOf` reads back. */
export function searchOf(settings: Settings): string {
  const parameters = new URLSearchParams({
    suite: settings.suite,
    backends: settings.backends.join(','),
    peers: settings.peers.join(','),
    threads: String(settings.threads),
    precision: settings.precision,
    runs: String(settings.runs),
  });
  if (settings.only !== '') parameters.set('only', settings.only);
  return `?${parameters.toString().replaceAll('%2C', ',')}`;
}
