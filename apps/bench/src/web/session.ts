// One run of a suite in the page: starts the contenders, measures case after case, and tells what happens.

import { peakLoop } from '../peak.ts';
import { chosenNames, suites } from '../suites/index.ts';
import { timeCase, timePeak, type Row, type Skipped } from '../timing.ts';
import { startContenders } from './contenders.ts';
import { browserMachine, type BrowserMachine } from './machine.ts';
import type { Settings } from './settings.ts';
import type { SwapStep } from './swap.ts';

export interface Measured {
  readonly name: string;
  readonly rows: readonly Row[];
  readonly skipped: readonly Skipped[];
}

export interface SessionResults {
  readonly machine: BrowserMachine;
  /** The 128-bit peak of one thread, GFLOP/s. */
  readonly peak: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

export interface SessionEvents {
  /** Something that did not go as asked, or the step that begins. */
  say(text: string): void;
  /** Before a case. */
  begin(name: string, done: number, total: number): void;
  /** Rows so far of the case that is being measured. */
  turn(measured: Measured): void;
  /** A case is complete. */
  end(measured: Measured): void;
}

/** What `npm run bench -- SUITE --browser` listens to; `step` is one of the training that swaps backends. */
export type PageEvent =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'case'; readonly measured: Measured }
  | { readonly kind: 'done'; readonly results: SessionResults }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'step'; readonly step: SwapStep };

const SECONDS_PER_CONTENDER = 0.5;

/** Lets the page paint and its buttons work. */
const pause = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

/** Rejects with the signal's reason on abort; nothing that was started stays. */
export async function runSession(
  settings: Settings,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<SessionResults> {
  const suite = suites[settings.suite]!;
  const names = chosenNames(suite.names, settings.only);
  if (names.length === 0)
    throw new Error(`no case of ${settings.suite} has '${settings.only}' in its name`);
  events.say('starting the backends');
  const contenders = await startContenders(settings, events.say);
  try {
    if (contenders.length === 0) throw new Error('nobody to time: choose a backend or a library');
    const peak = peakLoop();
    const { medianMs } = await timePeak(peak, signal);
    const options = {
      minRuns: settings.runs,
      secondsPerContender: SECONDS_PER_CONTENDER,
      warmUpMs: suite.warmUpMs,
      peak,
    };
    const rows: Row[] = [];
    for (const [done, name] of names.entries()) {
      signal.throwIfAborted();
      events.begin(name, done, names.length);
      await pause();
      const measured = await timeCase(
        await suite.make(name, signal),
        contenders,
        { ...options, onTurn: (now) => events.turn({ name, rows: now, skipped: [] }) },
        signal,
      );
      rows.push(...measured.rows);
      events.end({ name, ...measured });
    }
    return {
      machine: await browserMachine(),
      peak: peak.flops / medianMs / 1e6,
      versions: Object.fromEntries(contenders.map(({ name, version }) => [name, version])),
      rows,
    };
  } finally {
    for (const contender of contenders) await contender.close?.();
  }
}
