// Times contenders side by side: a shared machine changes speed from second to second, so they take turns.

import type { Case, Contender, Task } from './contender.ts';
import type { Peak } from './peak.ts';

export interface Times {
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Samples; a short run is timed in groups, and a sample is their mean. */
  readonly runs: number;
}

export interface Row extends Times {
  readonly suite: string;
  readonly case: string;
  readonly contender: string;
  readonly threads: number;
  readonly gflops?: number;
  /** `gflops` as a fraction of the 128-bit peak of so many threads, measured on one thread in the same turns. */
  readonly ofPeak?: number;
  /** max|y - ref| / max|ref| against float64. */
  readonly maxRelError: number;
}

export interface Skipped {
  readonly case: string;
  readonly contender: string;
  readonly reason: string;
}

export interface TimingOptions {
  /** Samples a contender takes at least. */
  readonly minRuns: number;
  /** Sampling goes on until each contender has been timed so long. */
  readonly secondsPerContender: number;
  /** Default 200. */
  readonly warmUpMs?: number;
  /** Takes turns with the contenders where a case counts its operations. */
  readonly peak?: Peak;
  /** Called after every turn with the rows so far, for those who watch. */
  readonly onTurn?: (rows: readonly Row[]) => void;
}

/** A wrong result is not timed. */
const MAX_REL_ERROR = 1e-4;
/** Runs shorter than this are timed in groups. */
const SAMPLE_MS = 20;
/** Threads of native runtimes look for work this long after a run, and would take a processor from the next contender. */
const REST_MS = 50;
/**
 * So long a contender runs without the clock before its sample: for caches, and because threads that woke together may share a
 * processor until the system moves one of them.
 */
const WARM_MS = 40;
/** Longer runs need no such start. */
const SLOW_MS = 100;
const MAX_TURNS = 200;

const delay = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** How many runs of so many milliseconds take as long as `ms`. */
const runsIn = (ms: number, runMs: number): number =>
  Math.max(1, Math.ceil(ms / Math.max(runMs, 1e-4)));

type Timed = Pick<Task, 'run' | 'finish' | 'begin' | 'time'>;

/** Whoever takes turns. */
class Sampler {
  readonly #task: Timed;
  /** Runs in one sample, and before it. */
  #group = 1;
  #warming = 1;
  /** Of one run. */
  readonly #samples: number[] = [];
  /** Milliseconds of all samples. */
  #spent = 0;

  constructor(task: Timed) {
    this.#task = task;
  }

  async #runs(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      // Awaiting a plain loop's result would add a turn of the queue of promises to every run.
      const running = this.#task.run();
      if (running) await running;
    }
    await this.#task.finish?.();
  }

  /** Milliseconds of a run. */
  async #measure(): Promise<number> {
    if (this.#task.time) return (await this.#task.time(this.#group)) / this.#group;
    const started = performance.now();
    await this.#runs(this.#group);
    return (performance.now() - started) / this.#group;
  }

  /** Warms up until a run's time is known, and groups short runs. */
  async warmUp({ warmUpMs = 200 }: TimingOptions): Promise<void> {
    await this.#task.begin?.();
    let last = Infinity;
    const started = performance.now();
    for (let i = 0; i < 3 || (i < warmUpMs && performance.now() - started < warmUpMs); i++) {
      last = await this.#measure();
    }
    this.#group = runsIn(SAMPLE_MS, last);
    this.#warming = last > SLOW_MS ? 0 : runsIn(WARM_MS, last);
  }

  async sample(): Promise<void> {
    await delay(REST_MS);
    await this.#task.begin?.();
    if (this.#warming > 0) await this.#runs(this.#warming);
    const ms = await this.#measure();
    this.#samples.push(ms);
    this.#spent += ms * this.#group;
    // The warm-up may have ended in a slow moment, and a sample be too short.
    this.#group = Math.max(this.#group, runsIn(SAMPLE_MS, ms));
  }

  finished({ minRuns, secondsPerContender }: TimingOptions): boolean {
    return this.#samples.length >= minRuns && this.#spent >= secondsPerContender * 1000;
  }

  /** Whether its turn would hold up the rest. */
  isSlow({ secondsPerContender }: TimingOptions): boolean {
    return (this.#samples.at(-1) ?? 0) * this.#group > secondsPerContender * 250;
  }

  times(): Times {
    const sorted = this.#samples.toSorted((a, b) => a - b);
    const middle = sorted.length >> 1;
    const medianMs =
      sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
    return { medianMs, minMs: sorted[0]!, maxMs: sorted.at(-1)!, runs: sorted.length };
  }
}

/**
 * Whoever has had its time goes on taking turns, so that all see the same moments of the machine; only those that would hold up
 * the rest stop at the least number.
 */
async function takeTurns(
  samplers: readonly Sampler[],
  options: TimingOptions,
  signal: AbortSignal | undefined,
  onTurn?: () => void,
): Promise<void> {
  for (const sampler of samplers) {
    signal?.throwIfAborted();
    await sampler.warmUp(options);
  }
  for (let turn = 0; turn < MAX_TURNS && !samplers.every((s) => s.finished(options)); turn++) {
    for (const sampler of samplers) {
      signal?.throwIfAborted();
      if (!sampler.finished(options) || !sampler.isSlow(options)) await sampler.sample();
    }
    onTurn?.();
  }
}

function relativeError(values: Float32Array, reference: Float64Array): number {
  if (values.length !== reference.length) return Infinity;
  let worst = 0;
  let largest = 0;
  for (const [i, expected] of reference.entries()) {
    const difference = Math.abs(values[i]! - expected);
    if (Number.isNaN(difference)) return Infinity;
    worst = Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(expected));
  }
  return worst / largest;
}

interface Entry {
  readonly contender: Contender;
  readonly task: Task;
  readonly maxRelError: number;
  readonly sampler: Sampler;
}

async function enter(contender: Contender, benchCase: Case): Promise<Entry | Skipped> {
  const skip = (reason: string): Skipped => ({
    case: benchCase.name,
    contender: contender.name,
    reason,
  });
  const task = await contender.prepare(benchCase);
  if ('unsupported' in task) return skip(task.unsupported);
  const maxRelError = relativeError(await task.result(), benchCase.reference);
  if (!(maxRelError <= MAX_REL_ERROR)) {
    await task.dispose?.();
    return skip(
      `wrong result: largest relative error ${maxRelError.toExponential(1)}, at most ${MAX_REL_ERROR} is allowed`,
    );
  }
  return { contender, task, maxRelError, sampler: new Sampler(task) };
}

function rowOf(benchCase: Case, { contender, sampler, maxRelError }: Entry, peak: number): Row {
  const times = sampler.times();
  const gflops = benchCase.flops === null ? null : benchCase.flops / times.medianMs / 1e6;
  return {
    suite: benchCase.suite,
    case: benchCase.name,
    contender: contender.name,
    threads: contender.threads,
    ...times,
    ...(gflops !== null && { gflops }),
    ...(gflops !== null && peak > 0 && { ofPeak: gflops / peak / contender.threads }),
    maxRelError,
  };
}

/** Checks every contender's result, then times them in turns. */
export async function timeCase(
  benchCase: Case,
  contenders: readonly Contender[],
  options: TimingOptions,
  signal?: AbortSignal,
): Promise<{ rows: Row[]; skipped: Skipped[] }> {
  const entries: Entry[] = [];
  const skipped: Skipped[] = [];
  try {
    for (const contender of contenders) {
      signal?.throwIfAborted();
      const entry = await enter(contender, benchCase);
      if ('reason' in entry) skipped.push(entry);
      else entries.push(entry);
    }
    const { peak } = options;
    const yardstick = peak && benchCase.flops !== null ? new Sampler(peak) : null;
    const samplers = entries.map(({ sampler }) => sampler);
    const rows = (): Row[] => {
      const gflops = yardstick ? peak!.flops / yardstick.times().medianMs / 1e6 : 0;
      return entries.map((entry) => rowOf(benchCase, entry, gflops));
    };
    const all = yardstick ? [yardstick, ...samplers] : samplers;
    await takeTurns(all, options, signal, () => options.onTurn?.(rows()));
    return { rows: rows(), skipped };
  } finally {
    for (const { task } of entries) await task.dispose?.();
  }
}

/** The peak alone: it varies so little that many samples would only hold up what comes after it. */
export async function timePeak(peak: Peak, signal?: AbortSignal): Promise<Times> {
  const sampler = new Sampler(peak);
  await takeTurns([sampler], { minRuns: 9, secondsPerContender: 0.1 }, signal);
  return sampler.times();
}
