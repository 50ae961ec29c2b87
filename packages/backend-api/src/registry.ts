// Which backends there are and which one is current. Factories are registered explicitly; a name means its live instance.

import { SPEC_VERSION, type Backend, type BackendFactory, type ProbeResult } from './backend.ts';
import { BackendError, DisposedError } from './errors.ts';
import { claimSingleCopy } from './single-copy.ts';

const token = {};
const factories = new Map<string, BackendFactory>();
const live = new Map<string, Backend>();
/** Live instances in the making: two who ask at once get the same. */
const starting = new Map<string, Promise<Backend>>();
let selected: Backend | null = null;

export interface BackendListing {
  readonly name: string;
  /** The factory's, or what its probe says instead. */
  readonly priority: number;
  readonly available: boolean;
  /** Why it is not available, or what its probe tells of it. */
  readonly reason: string;
  readonly current: boolean;
}

export interface BestBackend {
  readonly backend: Backend;
  /** What was passed over, and why this one was taken. */
  readonly reason: string;
}

function expectVersion(what: string, version: number): void {
  if (version !== SPEC_VERSION) {
    throw new BackendError(
      'backend-version',
      `backend '${what}' keeps version ${version} of the backend contract; this @convoke/backend-api is version ${SPEC_VERSION}. Install versions that match`,
    );
  }
}

/** Makes a backend known by its factory's name. The same factory may be registered again; another of its name may not. */
export function register(factory: BackendFactory, options: { replace?: boolean } = {}): void {
  claimSingleCopy('@convoke/backend-api', SPEC_VERSION, token);
  expectVersion(factory.name, factory.specVersion);
  const known = factories.get(factory.name);
  if (known && known !== factory && !options.replace) {
    throw new BackendError(
      'backend-registry',
      `a different backend named '${factory.name}' is already registered; pass {replace: true} to replace it`,
    );
  }
  if (known !== factory) forget(factory.name);
  factories.set(factory.name, factory);
}

/** Takes a backend out of the registry. Its live instance goes on working for those who hold it. */
export function unregister(name: string): void {
  forget(name);
  factories.delete(name);
}

function forget(name: string): void {
  const backend = live.get(name);
  live.delete(name);
  starting.delete(name);
  if (backend && backend === selected) selected = null;
}

/** The live instance of that name, unless its owner has disposed it. */
function liveInstance(name: string): Backend | undefined {
  const backend = live.get(name);
  if (!backend) return undefined;
  try {
    backend.memory();
    return backend;
  } catch (error) {
    if (!(error instanceof DisposedError)) throw error;
    forget(name);
    return undefined;
  }
}

async function probe(factory: BackendFactory): Promise<ProbeResult> {
  try {
    return await factory.probe();
  } catch (error) {
    return {
      available: false,
      reason: `its probe failed: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

async function instance(
  factory: BackendFactory,
  options: unknown,
  probed?: ProbeResult,
): Promise<Backend> {
  if (options !== undefined) return create(factory, options);
  const existing = liveInstance(factory.name) ?? starting.get(factory.name);
  if (existing) return existing;
  const made = create(factory, undefined, probed).finally(() => {
    if (starting.get(factory.name) === made) starting.delete(factory.name);
  });
  starting.set(factory.name, made);
  return made;
}

async function create(
  factory: BackendFactory,
  options: unknown,
  probed?: ProbeResult,
): Promise<Backend> {
  const result = probed ?? (await probe(factory));
  if (!result.available) {
    throw new BackendError(
      'backend-unavailable',
      `backend '${factory.name}' cannot work here: ${result.reason}`,
    );
  }
  const backend = await factory.create(options);
  expectVersion(backend.name, backend.specVersion);
  if (factories.get(factory.name) === factory) live.set(factory.name, backend);
  backend.onLost(() => {
    if (live.get(factory.name) === backend) live.delete(factory.name);
  });
  return backend;
}

/**
 * Makes a backend current: by name (its live instance, created if need be; with `options` a new one) or an instance of your
 * own. Throws a BackendError that says why it cannot be had.
 */
export async function use(backend: string | Backend, options?: unknown): Promise<Backend> {
  claimSingleCopy('@convoke/backend-api', SPEC_VERSION, token);
  if (typeof backend !== 'string') {
    expectVersion(backend.name, backend.specVersion);
    return (selected = backend);
  }
  const factory = factories.get(backend);
  if (!factory) {
    const names = [...factories.keys()].map((name) => `'${name}'`).join(', ') || 'none';
    throw new BackendError(
      'backend-unavailable',
      `no backend named '${backend}' is registered (registered: ${names}); install its package and call register() first`,
    );
  }
  return (selected = await instance(factory, options));
}

interface Candidate {
  readonly factory: BackendFactory;
  readonly result: ProbeResult;
  readonly priority: number;
}

/** Highest priority first. A factory of negative priority stays negative whatever its probe says. */
async function byPriority(some: readonly BackendFactory[]): Promise<Candidate[]> {
  const candidates = await Promise.all(
    some.map(async (factory): Promise<Candidate> => {
      const result = await probe(factory);
      const claimed = result.available && factory.priority >= 0 ? result.priority : undefined;
      return { factory, result, priority: claimed ?? factory.priority };
    }),
  );
  return candidates.toSorted((a, b) => b.priority - a.priority);
}

/** Makes the available backend of highest priority current. Negative priorities are never picked. */
export async function best(): Promise<BestBackend> {
  const reasons: string[] = [];
  const willing = [...factories.values()].filter(({ priority }) => priority >= 0);
  for (const { factory, result, priority } of await byPriority(willing)) {
    if (priority < 0) continue;
    try {
      const backend = await instance(factory, undefined, result);
      selected = backend;
      return {
        backend,
        reason: [...reasons, `'${factory.name}' has priority ${priority} and is available`].join(
          '; ',
        ),
      };
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new BackendError(
    'backend-unavailable',
    `no registered backend can work here: ${reasons.join('; ') || 'none is registered; call register() with a factory such as js of @convoke/backend-js'}`,
  );
}

/** Every registered backend, highest priority first, with the reason for each that is unavailable. */
export async function list(): Promise<BackendListing[]> {
  return (await byPriority([...factories.values()])).map(({ factory, result, priority }) => {
    const existing = liveInstance(factory.name);
    return {
      name: factory.name,
      priority,
      available: result.available,
      reason: result.available ? (existing?.mode ?? result.detail ?? 'available') : result.reason,
      current: existing !== undefined && existing === selected,
    };
  });
}

/** The backend that new tensors go to. Throws where none was chosen. */
export function current(): Backend {
  if (!selected) {
    throw new BackendError(
      'backend-unavailable',
      "no backend is in use; call register() with one, then await use('js') or await best()",
    );
  }
  return selected;
}
