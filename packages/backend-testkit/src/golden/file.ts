// Golden files: JSON, gzipped or not, told by their first bytes. What a file holds is told by its content.

import { DataError } from '@convoke/backend-api';

import type { GoldenCase, GoldenRow } from './case.ts';

export interface GoldenFile {
  readonly name: string;
  readonly cases: readonly GoldenCase[];
  /** What the file holds that is no op case: a row each, with the reason. */
  readonly skipped: readonly GoldenRow[];
}

type Entry = Readonly<Record<string, unknown>>;

async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function parse(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<unknown> {
  let text: Uint8Array = bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    text = await gunzip(bytes).catch((cause: unknown) => {
      throw new DataError(`${name}: damaged or truncated gzip data; fetch the file again`, {
        cause,
      });
    });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (cause) {
    const what =
      name.endsWith('.gz') && text === bytes ? 'neither gzip data nor JSON' : 'no valid JSON';
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`${name}: ${what} (${detail}); fetch the file again`, { cause });
  }
}

function isObject(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTensor(value: unknown): boolean {
  return isObject(value) && Array.isArray(value['shape']) && Array.isArray(value['data']);
}

function holdsTensors(value: unknown): boolean {
  return value === undefined || (isObject(value) && Object.values(value).every(isTensor));
}

/** Why an entry of `cases` cannot be an op case, or null where it can. */
function objection(entry: Entry): string | null {
  if (typeof entry['id'] !== 'string') return 'no op case: it has no id';
  if (!isObject(entry['attrs'])) return 'no op case: it has no attrs';
  if (!holdsTensors(entry['inputs']) || !holdsTensors(entry['outputs'])) {
    return 'no op case: its inputs or outputs are not tensors {shape, data}';
  }
  if (entry['upstream'] !== undefined && !isTensor(entry['upstream'])) {
    return 'no op case: its upstream is not a tensor {shape, data}';
  }
  return null;
}

function skip(id: string, reason: string): GoldenRow {
  return { id, status: 'skip', error: null, tolerance: null, reason };
}

/** What a file may hold of a network besides its outputs at evaluation. */
const NETWORK_PARTS = ['aux', 'frozen_bn', 'train'];

/**
 * Reads a golden file of ops, pictures, or a network (whose cases are called ARCH/0, ARCH/1, ..., ARCH/aux, ARCH/frozen_bn and
 * ARCH/train). Throws a DataError that names the file where it is damaged; a sound file of another kind gives no cases, and says
 * so in `skipped`.
 */
export async function readGoldenFile(
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<GoldenFile> {
  const content = await parse(name, bytes);
  if (!isObject(content) || !Array.isArray(content['cases'])) {
    return { name, cases: [], skipped: [skip(name, 'no golden file: it has no list of cases')] };
  }
  const cases: GoldenCase[] = [];
  const skipped: GoldenRow[] = [];
  const arch = content['arch'];
  const isNetwork = typeof arch === 'string' && Array.isArray(content['state_dict']);
  const attrs = { arch, gain: content['gain'] };
  for (const [i, entry] of content['cases'].entries()) {
    const id = isObject(entry) && typeof entry['id'] === 'string' ? entry['id'] : `${name}#${i}`;
    if (isNetwork) {
      // Each input of a network is a case, for whoever knows networks.
      cases.push({ id: `${arch}/${i}`, attrs, network: entry });
    } else if (!isObject(entry)) {
      skipped.push(skip(id, 'no op case: it is no object'));
    } else {
      const reason = objection(entry);
      if (reason === null) cases.push(entry as unknown as GoldenCase);
      else skipped.push(skip(id, reason));
    }
  }
  for (const part of isNetwork ? NETWORK_PARTS : []) {
    const entry = content[part];
    if (isObject(entry)) cases.push({ id: `${arch}/${part}`, attrs, network: entry });
  }
  return { name, cases, skipped };
}
