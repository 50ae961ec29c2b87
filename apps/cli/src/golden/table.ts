// Golden rows as text: a line per kind of case, then every failure and, together where the reason is the same, what was skipped.

import type { GoldenRow } from '@convoke/backend-testkit';

export interface LabelledRow {
  /** The kind of the case. */
  readonly kind: string;
  readonly row: GoldenRow;
}

const HEADINGS = ['op', 'cases', 'pass', 'fail', 'skip', 'worst error', 'tolerance', 'used'];

/** How much of the tolerance is used; above 1 is a failure, and a case that could not be computed is the worst of all. */
function usage({ status, error, tolerance }: GoldenRow): number {
  if (status === 'skip') return -1;
  // What was rightly refused gives no numbers.
  if (error === null || tolerance === null) return status === 'pass' ? 0 : Infinity;
  return error === 0 ? 0 : error / tolerance;
}

function number(value: number | null): string {
  if (value === null) return '-';
  return value === 0 ? '0' : value.toExponential(2);
}

function percent(share: number): string {
  if (share < 0 || share === Infinity) return '-';
  if (share >= 10) return '>999 %';
  return share > 0 && share < 0.01 ? '<1 %' : `${Math.round(100 * share)} %`;
}

function lineOf(kind: string, rows: readonly GoldenRow[]): string[] {
  const count = (status: GoldenRow['status']): string =>
    String(rows.filter((row) => row.status === status).length);
  const worst = rows.reduce((a, b) => (usage(b) > usage(a) ? b : a));
  return [
    kind,
    String(rows.length),
    count('pass'),
    count('fail'),
    count('skip'),
    number(worst.error),
    number(worst.tolerance),
    percent(usage(worst)),
  ];
}

function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, column) =>
    Math.max(...lines.map((line) => line[column]!.length)),
  );
  return lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
      )
      .join('  '),
  );
}

function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

/** Ids shown of those that were skipped for the same reason. */
const SHOWN = 4;

export function formatTable(labelled: readonly LabelledRow[]): string {
  const lines = [...grouped(labelled, ({ kind }) => kind)].map(([kind, members]) =>
    lineOf(
      kind,
      members.map(({ row }) => row),
    ),
  );
  const text = aligned([HEADINGS, ...lines]);
  const rows = labelled.map(({ row }) => row);
  for (const { id, reason, error, tolerance } of rows.filter(({ status }) => status === 'fail')) {
    const figures =
      error === null ? '' : ` (error ${number(error)}, tolerance ${number(tolerance)})`;
    text.push(`FAIL ${id}: ${reason ?? 'off'}${figures}`);
  }
  const skipped = rows.filter(({ status }) => status === 'skip');
  for (const [reason, members] of grouped(skipped, (row) => row.reason ?? 'no reason given')) {
    const ids = members.slice(0, SHOWN).map(({ id }) => id);
    if (members.length > SHOWN) ids.push(`and ${members.length - SHOWN} more`);
    text.push(`SKIP ${ids.join(', ')}: ${reason}`);
  }
  return text.join('\n');
}
