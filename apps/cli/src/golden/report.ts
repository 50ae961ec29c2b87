// The results as a JSON file, whole or not at all.

import type { GoldenRow, Precision } from '@convoke/backend-testkit';
import { DataError } from '@convoke/core';
import { expectWritable, writeFileAtomic } from '@convoke/weights/node';

export interface GoldenReport {
  readonly backend: string;
  /** What distinguishes the instance, as the backend tells it; null where there is nothing to tell. */
  readonly mode: string | null;
  /** What ran it: Node or a browser, with the version. */
  readonly place: string;
  readonly threads: number;
  readonly precision: Precision;
  /** A row a case, of its worst tensor. `error` is null where it is no finite number; `reason` then tells why. */
  readonly rows: readonly GoldenRow[];
}

async function orSayWhere<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new DataError(
      `--json: ${(cause as Error).message}. Give a file in a folder that exists and is writable`,
      { cause },
    );
  }
}

/** Throws a DataError that names the file where it cannot be written: to be asked before the cases run. */
export async function expectReportWritable(path: string): Promise<void> {
  await orSayWhere(expectWritable(path));
}

/** Throws a DataError that names the file where it cannot be written; what stood there before then stays. */
export async function writeReport(path: string, report: GoldenReport): Promise<void> {
  const text = `${JSON.stringify(report, null, 1)}\n`;
  await orSayWhere(writeFileAtomic(path, new TextEncoder().encode(text)));
}
