// The results of a case as a table with bars. Elements are made, never parsed: names come from elsewhere.

import { milliseconds, percent } from '../report.ts';
import type { Row } from '../timing.ts';
import type { Measured } from './session.ts';

type Content = string | Node;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...content);
  return made;
}

const times = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toFixed(2));

/** How a row compares with the fastest. */
function comparison({ medianMs }: Row, fastest: Row): string {
  return medianMs === fastest.medianMs
    ? 'fastest'
    : `${times(medianMs / fastest.medianMs)} × the time`;
}

function bar(row: Row, slowest: Row, ours: boolean): HTMLElement {
  const drawn = element('div', { class: ours ? 'bar ours' : 'bar' });
  drawn.style.width = `${((100 * row.medianMs) / slowest.medianMs).toFixed(2)}%`;
  return drawn;
}

function speedOf(gflops: number, ofPeak: number | undefined): string {
  return `${gflops.toFixed(1)} GFLOP/s${ofPeak === undefined ? '' : `, ${percent(ofPeak)} of peak`}`;
}

function line(row: Row, fastest: Row, slowest: Row, ours: boolean): HTMLTableRowElement {
  const threads = row.threads > 1 ? ` (${row.threads} threads)` : '';
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, row.contender, element('small', {}, threads)),
    element('td', { class: 'number' }, `${milliseconds(row.medianMs)} ms`),
    element('td', { class: 'bars' }, bar(row, slowest, ours)),
    element('td', { class: 'detail' }, comparison(row, fastest)),
    ...(row.gflops === undefined
      ? []
      : [element('td', { class: 'detail' }, speedOf(row.gflops, row.ofPeak))]),
    element('td', { class: 'detail' }, `error ${row.maxRelError.toExponential(1)}`),
    element(
      'td',
      { class: 'detail' },
      `${milliseconds(row.minMs)} to ${milliseconds(row.maxMs)} ms, ${row.runs} samples`,
    ),
  );
}

/** Operations are counted for all rows of a case or for none. */
function headings(counted: boolean): string[] {
  const speed = counted ? ['speed'] : [];
  return ['contender', 'median', '', 'against the fastest', ...speed, 'correctness', 'range'];
}

/** Rows as they were given, ours with bars of their own colour; and who was not timed, with the reason. */
export function caseSection(measured: Measured, backends: readonly string[]): HTMLElement {
  const { name, rows, skipped } = measured;
  const section = element('section', { class: 'result', 'data-case': name });
  if (rows.length > 0) {
    const sorted = rows.toSorted((a, b) => a.medianMs - b.medianMs);
    const [fastest, slowest] = [sorted[0]!, sorted.at(-1)!];
    const head = element(
      'tr',
      {},
      ...headings(fastest.gflops !== undefined).map((text) =>
        text === '' ? element('td') : element('th', { scope: 'col' }, text),
      ),
    );
    const body = rows.map((row) => line(row, fastest, slowest, backends.includes(row.contender)));
    section.append(
      element(
        'table',
        {},
        element('caption', {}, name),
        element('thead', {}, head),
        element('tbody', {}, ...body),
      ),
    );
  } else section.append(element('strong', {}, name));
  for (const { contender, reason } of skipped)
    section.append(element('p', { class: 'skipped' }, `${contender}: not timed: ${reason}`));
  return section;
}
