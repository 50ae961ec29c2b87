#!/usr/bin/env node
// The bench command: times the cases of a suite on Convoke's backends and on peers, in turns, and reports.

import { availableParallelism } from 'node:os';

import { BackendError, isConvokeError } from '@convoke/core';
import { expectWritable, writeFileAtomic } from '@convoke/weights/node';

import {
  parseBenchArguments,
  parsePageArguments,
  UsageError,
  type BenchArguments,
} from './arguments.ts';
import type { Contender } from './contender.ts';
import {
  backendNames,
  createBackend,
  createPeer,
  missing,
  peerNames,
  takesThreads,
} from './contenders/index.ts';
import { facts, machine } from './machine.ts';
import { endWithOutput } from './output.ts';
import { renderHtml } from './page.ts';
import { peakLoop, type Peak } from './peak.ts';
import { installPeers } from './peers.ts';
import { caseTable } from './report.ts';
import { suites, type Suite } from './suites/index.ts';
import { timeCase, timePeak, type Row } from './timing.ts';
import { servePage } from './web-server.ts';
import { machineFacts } from './web/machine.ts';
import { pageBackends, pagePeers } from './web/settings.ts';

const usage = `Usage: npm run bench -- SUITE [OPTIONS]
       npm run bench -- peak
       npm run bench:web [-- --port N]

Times Convoke's backends and the installed peers side by side. They take turns; a result that is wrong is not timed, and makes
the exit status 1.

Suites:
 ${Object.entries(suites)
   .map(([name, { names }]) => ` ${name.padEnd(10)} ${names.join(', ')}`)
   .join('\n ')}
  peak       no suite: what one thread can reach with 128-bit registers; the kernels' column 'of peak' refers to it

Options:
  --backends a,b    Convoke backends to time (${backendNames.join(', ')}), or none; all unless given
  --peers x,y       peers to time (${peerNames.join(', ')}),
                    or none; those that are found unless given
  --only TEXT       just the cases whose name contains TEXT, or one of several texts with commas between
  --threads N       threads for backends and peers that can have more than one; as many as the machine runs at once,
                    at most 8, unless given. With 1,2 those enter twice, with one thread and with two
  --precision P     fast or strict, for the backends that have the choice
  --runs N          samples each contender takes at least (5 or more; 9 unless given)
  --browser         measure in a page in Chromium (CHROMIUM_PATH names another than the system's), where the backends are
                    ${pageBackends.join(', ')} and the peers ${pagePeers.join(', ')}
  --json FILE       write {machine, peak, versions, rows} to FILE
  --html FILE       write a page with bars to FILE

bench:web serves the page, for browsers with a screen, at port 8080 or N.

Ratios are to the first contender, in the order given. npm run bench:peers installs the peers, beside the workspace; torch is
found where a python3 has it.
`;

const SECONDS_PER_CONTENDER = 0.5;

const say = (text: string): boolean => process.stderr.write(`bench: ${text}\n`);

/** How many threads the contender enters with: once for each number that was asked for. */
function threadCounts(name: string, { threads = [] }: BenchArguments): (number | undefined)[] {
  return takesThreads(name) && threads.length > 0 ? [...threads] : [threads[0]];
}

async function enterBackends(args: BenchArguments, into: Contender[]): Promise<void> {
  for (const name of args.backends ?? backendNames) {
    try {
      for (const threads of threadCounts(name, args)) {
        into.push(await createBackend(name, { threads, precision: args.precision }));
      }
    } catch (error) {
      if (args.backends || !(error instanceof BackendError)) throw error;
      say(`without backend '${name}': ${error.message}`);
    }
  }
}

async function enterPeers(args: BenchArguments, into: Contender[]): Promise<void> {
  for (const name of args.peers ?? peerNames) {
    const reason = await missing(name);
    if (reason === null) {
      for (const threads of threadCounts(name, args))
        into.push(await createPeer(name, { threads }));
    } else if (args.peers) throw new UsageError(`peer '${name}': ${reason}`);
    else say(`without peer '${name}': ${reason}`);
  }
}

interface Measured {
  readonly rows: Row[];
  /** Contenders of a case whose result was wrong. */
  readonly wrong: number;
}

async function timeCases(
  suite: Suite,
  args: BenchArguments,
  contenders: readonly Contender[],
  peak: Peak,
  signal: AbortSignal,
): Promise<Measured> {
  const rows: Row[] = [];
  let wrong = 0;
  const options = {
    minRuns: args.runs,
    secondsPerContender: SECONDS_PER_CONTENDER,
    warmUpMs: suite.warmUpMs,
    peak,
  };
  for (const name of args.cases) {
    process.stdout.write(`${name}\n`);
    try {
      const measured = await timeCase(await suite.make(name, signal), contenders, options, signal);
      rows.push(...measured.rows);
      wrong += measured.skipped.filter(({ reason }) => reason.startsWith('wrong result')).length;
      process.stdout.write(`${caseTable(measured.rows, measured.skipped)}\n\n`);
    } catch (error) {
      if (!signal.aborted) throw error;
      say('interrupted; the cases above are complete');
      break;
    }
  }
  return { rows, wrong };
}

async function printPeak(peak: Peak, signal: AbortSignal): Promise<number> {
  const times = await timePeak(peak, signal);
  const speed = (ms: number): string => (peak.flops / ms / 1e6).toFixed(1);
  process.stdout.write(
    `peak-128bit: one thread, ${peak.fused ? 'fused multiply-add' : 'multiply and add'}: ${speed(times.medianMs)} GFLOP/s (${speed(times.maxMs)} to ${speed(times.minMs)}, ${times.runs} samples)\n`,
  );
  return peak.flops / times.medianMs / 1e6;
}

function writeText(path: string, text: string): Promise<void> {
  return writeFileAtomic(path, new TextEncoder().encode(text));
}

async function bench(suiteName: string, rest: readonly string[]): Promise<number> {
  const suite = suites[suiteName];
  if (!suite) {
    const known = [...Object.keys(suites), 'peak'].join(', ');
    throw new UsageError(`there is no suite '${suiteName}'; expected one of ${known}`);
  }
  const inPage = rest.includes('--browser');
  const args = parseBenchArguments(rest, {
    backends: inPage ? pageBackends : backendNames,
    peers: inPage ? pagePeers : peerNames,
    cases: suite.names,
  });
  for (const path of [args.json, args.html]) if (path !== undefined) await expectWritable(path);
  const interruption = new AbortController();
  process.once('SIGINT', () => interruption.abort(new Error('interrupted')));
  if (args.browser) return benchInPage(suiteName, args, interruption.signal);
  const contenders: Contender[] = [];
  try {
    await enterBackends(args, contenders);
    const backends = contenders.map(({ name }) => name);
    await enterPeers(args, contenders);
    if (contenders.length === 0) throw new UsageError('nobody to time: no backend and no peer');
    const peak = peakLoop();
    const gflops = await printPeak(peak, interruption.signal);
    process.stdout.write('\n');
    const { rows, wrong } = await timeCases(suite, args, contenders, peak, interruption.signal);
    const versions = Object.fromEntries(contenders.map(({ name, version }) => [name, version]));
    const here = machine();
    const results = { machine: here, peak: gflops, versions, rows };
    if (args.json) await writeText(args.json, `${JSON.stringify(results, null, 1)}\n`);
    if (args.html)
      await writeText(args.html, renderHtml({ ...results, facts: facts(here) }, backends));
    return interruption.signal.aborted ? 130 : wrong > 0 ? 1 : 0;
  } finally {
    for (const contender of contenders) await contender.close?.();
  }
}

/** The same by the page, in Chromium. */
async function benchInPage(
  suite: string,
  args: BenchArguments,
  signal: AbortSignal,
): Promise<number> {
  const { runInChromium } = await import('./headless.ts');
  const settings = {
    suite,
    only: args.only,
    backends: args.backends ?? pageBackends,
    peers: args.peers ?? pagePeers,
    threads: args.threads?.[0] ?? Math.min(8, availableParallelism()),
    precision: args.precision ?? 'fast',
    runs: args.runs,
  };
  let wrong = 0;
  try {
    const results = await runInChromium(
      settings,
      (event) => {
        if (event.kind === 'say') say(event.text);
        if (event.kind !== 'case') return;
        const { name, rows, skipped } = event.measured;
        wrong += skipped.filter(({ reason }) => reason.startsWith('wrong result')).length;
        process.stdout.write(`${name}\n${caseTable(rows, skipped)}\n\n`);
      },
      signal,
    );
    const { machine: browser, peak, versions, rows } = results;
    process.stdout.write(`${machineFacts(browser).join(', ')}\n`);
    if (args.json) await writeText(args.json, `${JSON.stringify(results, null, 1)}\n`);
    if (args.html) {
      const page = { facts: machineFacts(browser), peak, versions, rows };
      await writeText(args.html, renderHtml(page, settings.backends));
    }
    return wrong > 0 ? 1 : 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    say('interrupted; the cases above are complete');
    return 130;
  }
}

/** Until the process is ended. */
async function serveBenchPage(rest: readonly string[]): Promise<number> {
  const { port } = parsePageArguments(rest);
  const site = await servePage(port);
  process.stdout.write(`${site.address}\n`);
  say('serving the page; Ctrl-C ends it');
  await new Promise<void>((done) => process.once('SIGINT', done));
  site.close();
  return 0;
}

async function main([first, ...rest]: readonly string[]): Promise<number> {
  if (first === undefined || first === '--help' || first === '-h' || rest.includes('--help')) {
    process.stdout.write(usage);
    return first === undefined ? 2 : 0;
  }
  if (first === 'peers') return installPeers();
  if (first === 'web') return serveBenchPage(rest);
  if (first !== 'peak') return bench(first, rest);
  if (rest.length > 0) throw new UsageError(`peak takes no arguments, got '${rest.join(' ')}'`);
  await printPeak(peakLoop(), new AbortController().signal);
  return 0;
}

endWithOutput();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof UsageError || isConvokeError(error);
  say(known ? (error as Error).message : ((error as Error).stack ?? String(error)));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
