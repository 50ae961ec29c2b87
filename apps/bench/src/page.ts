// The results as an HTML page with bars. It needs no other file.

import { milliseconds, percent } from './report.ts';
import type { Row } from './timing.ts';

export interface Results {
  /** Of the machine. */
  readonly facts: readonly string[];
  /** The 128-bit peak of one thread, GFLOP/s. */
  readonly peak: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function byCase(rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.case);
    if (group) group.push(row);
    else groups.set(row.case, [row]);
  }
  return [...groups.values()];
}

const threadsOf = ({ threads }: Row): string => `${threads} thread${threads === 1 ? '' : 's'}`;

/** How a row compares with the fastest one. */
function comparison({ medianMs }: Row, fastest: Row): string {
  if (medianMs === fastest.medianMs) return 'fastest';
  const times = medianMs / fastest.medianMs;
  return `${times >= 10 ? times.toFixed(0) : times.toFixed(2)} x the time`;
}

function section(rows: readonly Row[], backends: ReadonlySet<string>): string {
  const sorted = rows.toSorted((a, b) => a.medianMs - b.medianMs);
  const [fastest, slowest] = [sorted[0]!, sorted.at(-1)!];
  const lines = sorted.map((row) => {
    const width = (100 * row.medianMs) / slowest.medianMs;
    const speed =
      row.gflops === undefined
        ? ''
        : `${row.gflops.toFixed(1)} GFLOP/s${row.ofPeak === undefined ? '' : `, ${percent(row.ofPeak)} of peak`}`;
    return [
      `<tr><th scope="row">${escapeHtml(row.contender)} <small>${threadsOf(row)}</small></th>`,
      `<td class="number" title="${milliseconds(row.minMs)} to ${milliseconds(row.maxMs)} ms, ${row.runs} runs">${milliseconds(row.medianMs)} ms</td>`,
      `<td class="bars"><div class="bar${backends.has(row.contender) ? ' ours' : ''}" style="width: ${width.toFixed(2)}%"></div></td>`,
      `<td class="range">${milliseconds(row.minMs)} to ${milliseconds(row.maxMs)}</td>`,
      `<td>${comparison(row, fastest)}</td><td>${speed}</td></tr>`,
    ].join('');
  });
  const title = `${fastest.case} <small>${escapeHtml(fastest.suite)}</small>`;
  return `<section><h2>${title}</h2><div class="scroll"><table>${lines.join('\n')}</table></div></section>`;
}

const style = `
:root { color-scheme: light dark; --ours: #1667c1; --peer: #9aa3ad; --quiet: #5f6b76; }
@media (prefers-color-scheme: dark) { :root { --ours: #5aa9f5; --peer: #66717c; --quiet: #a3adb8; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .5rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
small, .range, .facts { color: var(--quiet); font-weight: 400; }
.scroll { overflow-x: auto; }
table { width: 100%; min-width: 54rem; border-collapse: collapse; table-layout: fixed; font-variant-numeric: tabular-nums; }
th, td { text-align: left; font-weight: 400; padding: .1rem .5rem .1rem 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
th { width: 14.5rem; } .number { width: 5.5rem; text-align: right; padding-right: .8rem; }
.range { width: 8.5rem; } td:nth-child(5) { width: 7.5rem; } td:nth-child(6) { width: 14.5rem; }
.bar { background: var(--peer); height: .9em; min-width: 2px; border-radius: 2px; } .ours { background: var(--ours); }
.key { display: inline-block; width: 2.2em; vertical-align: middle; margin: 0 .3em 0 0; } .key + .key { margin-left: 1.2em; }`;

/** `backends` are the contenders whose bars have the colour of our own. */
export function renderHtml(results: Results, backends: readonly string[]): string {
  const { peak, versions, rows } = results;
  const ours = new Set(backends);
  const facts = [
    ...results.facts,
    `128-bit peak of one thread ${peak.toFixed(1)} GFLOP/s`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Convoke benchmarks</title>
<style>${style}
</style></head><body><h1>Convoke benchmarks</h1>
<p>Median time of one run, and the shortest and longest sample in ms. Shorter bars are faster; contenders took turns in one run.<br>
<span class="bar key ours"></span>Convoke's backends <span class="bar key"></span>peers</p>
<p class="facts">${facts.map(escapeHtml).join(' · ')}</p>
${byCase(rows)
  .map((group) => section(group, ours))
  .join('\n')}
</body></html>
`;
}
