// A table of text in columns.

export interface TableOptions {
  /** So many columns, from the left, are set flush left; the rest flush right. Default 1. */
  readonly leftColumns?: number | undefined;
  /** A last line under a rule. */
  readonly total?: readonly string[] | undefined;
}

/** Lines of `header`, a rule, and `rows`, each cell as wide as its column needs. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { leftColumns = 1, total }: TableOptions = {},
): string {
  const all = [header, ...rows, ...(total ? [total] : [])];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i < leftColumns ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  const rule = '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  return [line(header), rule, ...rows.map(line), ...(total ? [rule, line(total)] : [])].join('\n');
}
