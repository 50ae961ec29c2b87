// `convoke golden`: compares a backend with PyTorch's results from a folder of golden files.

import { resolve } from 'node:path';

import { kindName, type GoldenCase, type GoldenRow } from '@convoke/backend-testkit';
import { readGoldenFolder } from '@convoke/backend-testkit/node';

import { oneOf, readOptions, UsageError, wholeNumber, type Command } from '../command.ts';
import { runInBrowser } from '../golden/browser.ts';
import { findCheckpoints, runCheckpoints } from '../golden/checkpoints.ts';
import { expectReportWritable, writeReport } from '../golden/report.ts';
import { runCases } from '../golden/session.ts';
import { formatTable, type LabelledRow } from '../golden/table.ts';

const usage = `convoke golden: compare a backend with PyTorch's results

Usage: convoke golden --dir DIR [OPTIONS]

  --dir DIR           a folder of golden files, .json or .json.gz, of ops, networks or pictures, or of checkpoints with
                      a manifest.json; what a file holds is told by its content
  --backend NAME      the backend to check (default: the best available)
  --threads N         how many threads the backend may use (default: its own choice)
  --precision WORD    strict or fast: whether Winograd's rounding is admitted (default: strict)
  --only PATTERN      only cases whose id contains PATTERN, or matches it where it has * or ?
  --browser           run the cases inside Chromium (CHROMIUM_PATH names another than the system's)
  --json FILE         also write the results to FILE

Exit status: 0 when all that ran agrees; 1 on a mismatch, or when nothing ran.
`;

/** `conv2d/1` fits by any part of it, `conv2d/*` as a whole. */
function matcher(pattern: string | undefined): (id: string) => boolean {
  if (pattern === undefined) return () => true;
  if (!/[*?]/.test(pattern)) return (id) => id.includes(pattern);
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`, 's');
  return (id) => expression.test(id);
}

function labelOf(goldenCase: GoldenCase): string {
  // Telling the kind fails where running the case has failed for the same reason.
  try {
    return kindName(goldenCase);
  } catch {
    return 'damaged';
  }
}

async function run(args: readonly string[]): Promise<number> {
  const values = readOptions('golden', args, {
    dir: { type: 'string' },
    backend: { type: 'string' },
    threads: { type: 'string' },
    precision: { type: 'string', default: 'strict' },
    only: { type: 'string' },
    browser: { type: 'boolean', default: false },
    json: { type: 'string' },
  });
  if (values.dir === undefined) {
    throw new UsageError(
      'golden: --dir DIR is missing; it names the folder that holds the golden files',
    );
  }
  const request = {
    backend: values.backend,
    threads:
      values.threads === undefined ? undefined : wholeNumber('threads', values.threads, 1, 1024),
    precision: oneOf('precision', values.precision, ['strict', 'fast']),
  };
  const wanted = matcher(values.only);
  const report = values.json === undefined ? null : resolve(values.json);
  if (report !== null) await expectReportWritable(report);
  const dir = resolve(values.dir);
  const checkpoints = await findCheckpoints(dir);
  const files = (await readGoldenFolder(dir)).filter(
    ({ name }) => name !== checkpoints?.manifestPath,
  );
  const all = files.flatMap(({ cases }) => cases);
  const cases = all.filter(({ id }) => wanted(id));
  const skipped = files.flatMap((file) => file.skipped).filter(({ id }) => wanted(id));
  const read = checkpoints
    ? await runCheckpoints(dir, checkpoints.manifest, checkpoints.files.filter(wanted))
    : [];

  const outcome = await (values.browser ? runInBrowser : runCases)(cases, request);
  for (const note of outcome.notes) process.stderr.write(`convoke golden: ${note}\n`);
  const labelled: LabelledRow[] = [
    ...outcome.rows.map((row, i) => ({ kind: labelOf(cases[i]!), row })),
    ...read.map((row) => ({ kind: 'checkpoint', row })),
    ...skipped.map((row) => ({ kind: 'no op case', row })),
  ];
  const rows = labelled.map(({ row }) => row);
  const count = (status: GoldenRow['status']): number =>
    rows.filter((row) => row.status === status).length;
  if (rows.length > 0) process.stdout.write(`${formatTable(labelled)}\n\n`);
  const { backend, mode, threads, precision, place = `node ${process.versions.node}` } = outcome;
  const told = mode?.endsWith(precision)
    ? [mode, place]
    : [...(mode ? [mode] : []), place, precision];
  process.stdout.write(
    `${backend} (${told.join(', ')}): ` +
      `${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped\n`,
  );
  if (report !== null) {
    await writeReport(report, { backend, mode, place, threads, precision, rows });
  }
  if (count('pass') + count('fail') === 0) {
    const why =
      values.only !== undefined &&
      all.length + (checkpoints?.files.length ?? 0) > 0 &&
      rows.length === 0
        ? `no case id matches --only '${values.only}'`
        : `${values.dir} holds no case that could run`;
    process.stderr.write(`convoke golden: nothing ran: ${why}\n`);
    return 1;
  }
  return count('fail') > 0 ? 1 : 0;
}

export const golden: Command = {
  name: 'golden',
  summary: "compare a backend with PyTorch's results from a folder of golden files",
  usage,
  run,
};
