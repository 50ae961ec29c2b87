// The results for people in the terminal: a table a case, with ratios to the first contender both ways.

import type { Row, Skipped } from './timing.ts';

export const milliseconds = (value: number): string =>
  value >= 1000 ? value.toFixed(0) : value.toPrecision(3);

/** Enough digits to compare by, and no more. */
function ratio(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value < 0.1 ? value.toPrecision(2) : value.toFixed(digits)}x`;
}

export const percent = (fraction: number): string => `${(100 * fraction).toFixed(0)} %`;

/** Columns as wide as their longest cell; the first to the left, the others to the right. */
function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0]!.map((_, column) =>
    Math.max(...lines.map((line) => line[column]!.length)),
  );
  return lines.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}

/** Lines of one case: every contender, its speed and its time as multiples of the first one's. */
export function caseTable(rows: readonly Row[], skipped: readonly Skipped[]): string {
  const [first] = rows;
  const missing = skipped.map(({ contender, reason }) => `${contender}: not timed: ${reason}`);
  if (!first) return missing.map((line) => `  ${line}`).join('\n');
  const counted = rows.some(({ gflops }) => gflops !== undefined);
  const compared = rows.length > 1;
  const header = [
    '',
    'threads',
    'median ms',
    'min',
    'max',
    'runs',
    ...(counted ? ['GFLOP/s', 'of peak'] : []),
    ...(compared ? [`speed/${first.contender}`, `time/${first.contender}`] : []),
  ];
  const lines = rows.map((row) => [
    row.contender,
    String(row.threads),
    milliseconds(row.medianMs),
    milliseconds(row.minMs),
    milliseconds(row.maxMs),
    String(row.runs),
    ...(counted
      ? [row.gflops?.toFixed(1) ?? '', row.ofPeak === undefined ? '' : percent(row.ofPeak)]
      : []),
    ...(compared
      ? [ratio(first.medianMs / row.medianMs), ratio(row.medianMs / first.medianMs)]
      : []),
  ]);
  return [...aligned([header, ...lines]), ...missing].map((line) => `  ${line}`).join('\n');
}
