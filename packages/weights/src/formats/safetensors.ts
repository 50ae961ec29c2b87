// The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes, little-endian, without holes.
// Files come from outside: everything the header says is checked before it is used.

import { failing, type Fail } from '../errors.ts';
import { plainBytes, readBytes, type ByteSource } from '../sources/source.ts';
import {
  arrayTypes,
  loadRange,
  type StoredData,
  type StoredDtype,
  type StoredTensor,
} from '../tensors.ts';
import { WeightsFile } from '../weights-file.ts';
import { findDuplicateKey } from './json-keys.ts';

export interface Safetensors<T extends StoredTensor = StoredTensor> {
  readonly tensors: Map<string, T>;
  /** The file's own notes; empty where it has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** As the reference implementation has it. */
const MAX_HEADER = 100_000_000;
const LENGTH_BYTES = 8;
const METADATA = '__metadata__';

const dtypes: ReadonlyMap<string, StoredDtype> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U64', 'uint64'],
  ['U32', 'uint32'],
  ['U16', 'uint16'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
]);
const codes: ReadonlyMap<StoredDtype, string> = new Map(
  [...dtypes].map(([code, dtype]) => [dtype, code]),
);

interface Entry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** In bytes after the header. */
  readonly begin: number;
  readonly end: number;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Where the data begin. `start` holds the first bytes of a file of `size`. */
function dataStartOf(start: Uint8Array, size: number, fail: Fail): number {
  if (size < LENGTH_BYTES) {
    return fail(`the file has ${size} bytes; a safetensors file has at least ${LENGTH_BYTES}`);
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getBigUint64(0, true);
  const rest = size - LENGTH_BYTES;
  if (length > BigInt(Math.min(rest, MAX_HEADER))) {
    const limit =
      length > BigInt(MAX_HEADER) ? `at most ${MAX_HEADER} are allowed` : `${rest} follow`;
    return fail(
      `the header is said to have ${length} bytes, but ${limit}: the file is cut off, or no safetensors file`,
    );
  }
  return LENGTH_BYTES + Number(length);
}

function textOf(header: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    return fail('the header is not UTF-8 text; the file is damaged, or no safetensors file');
  }
}

function parseHeader(text: string, fail: Fail): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    return fail(
      `the header is not JSON (${(error as Error).message}); the file is damaged, or no safetensors file`,
    );
  }
  if (!isObject(header)) return fail('the header is no JSON object');
  const duplicate = findDuplicateKey(text);
  if (duplicate !== null) return fail(`the header has the name '${duplicate}' twice`);
  return header;
}

function parseMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || !Object.values(value).every((entry) => typeof entry === 'string')) {
    return fail(`${METADATA} must be an object of strings`);
  }
  return value as Record<string, string>;
}

function parseEntry(file: string, name: string, value: unknown, available: number): Entry {
  const fail = failing(`${file}: tensor '${name}'`);
  if (!isObject(value)) return fail('its entry in the header is no object');
  const { dtype: code, shape, data_offsets: offsets } = value;
  const dtype = typeof code === 'string' ? dtypes.get(code) : undefined;
  if (typeof code === 'string' && /^F[468]_/.test(code)) {
    return fail(
      `its dtype ${code} has no counterpart here; convert it in Python: tensor.to(torch.bfloat16)`,
      'refused',
    );
  }
  if (!dtype)
    return fail(
      `unknown dtype ${JSON.stringify(code)}; known are ${[...dtypes.keys()].join(', ')}`,
    );
  if (!Array.isArray(shape) || !shape.every(isLength)) {
    return fail(`its shape must be a list of whole numbers >= 0, got ${JSON.stringify(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isLength)) {
    return fail(`its data_offsets must be two whole numbers >= 0, got ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > available) {
    return fail(
      `its bytes ${begin} to ${end} lie outside the ${available} bytes of data; the file is cut off or damaged`,
    );
  }
  const bytes = shape.reduce<number>(
    (size, length) => size * length,
    arrayTypes[dtype].BYTES_PER_ELEMENT,
  );
  if (bytes !== end - begin) {
    return fail(
      `${code} [${shape.join(', ')}] takes ${bytes} bytes, but the header gives it ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** The entries in the order of their data. Throws unless they cover it from the first byte to the last, each byte once. */
function inOrder(file: string, entries: readonly Entry[], available: number): Entry[] {
  const fail = failing(file);
  const sorted = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  let last = '';
  for (const { name, begin, end } of sorted) {
    if (begin < covered)
      fail(`tensors '${last}' and '${name}' overlap at byte ${begin} of the data`);
    if (begin > covered)
      fail(`nothing describes bytes ${covered} to ${begin} of the data, before tensor '${name}'`);
    covered = end;
    last = name;
  }
  if (covered < available)
    fail(`nothing describes bytes ${covered} to ${available} at the end of the data`);
  return sorted;
}

function dataOf(bytes: Uint8Array, dataStart: number, { dtype, begin, end }: Entry): StoredData {
  const type = arrayTypes[dtype];
  const width = type.BYTES_PER_ELEMENT;
  const offset = bytes.byteOffset + dataStart + begin;
  const length = (end - begin) / width;
  if (offset % width === 0) return new type(bytes.buffer as ArrayBuffer, offset, length);
  return new type(bytes.slice(dataStart + begin, dataStart + end).buffer, 0, length);
}

export interface ParseOptions {
  /** What errors call the file. */
  readonly file?: string | undefined;
}

interface Header {
  /** In the order of their data, which they cover without holes. */
  readonly entries: readonly Entry[];
  readonly metadata: Readonly<Record<string, string>>;
}

function readHeader(header: Uint8Array, available: number, file: string): Header {
  const fail = failing(file);
  const { [METADATA]: notes, ...described } = parseHeader(textOf(header, fail), fail);
  const metadata = parseMetadata(notes, fail);
  const entries = Object.entries(described).map(([name, value]) =>
    parseEntry(file, name, value, available),
  );
  return { entries: inOrder(file, entries, available), metadata };
}

/**
 * The tensors of a safetensors file, with the types they are stored in, in the order of their data, which are views of
 * `given` where alignment allows and copies elsewhere. Throws a WeightsError that names the file, and the tensor where one is
 * at fault: `format`, or `refused` for the 8-bit floats.
 */
export function parseSafetensors(given: Uint8Array, options: ParseOptions = {}): Safetensors {
  const { file = 'safetensors data' } = options;
  const bytes = plainBytes(given);
  const dataStart = dataStartOf(bytes, bytes.length, failing(file));
  const header = bytes.subarray(LENGTH_BYTES, dataStart);
  const { entries, metadata } = readHeader(header, bytes.length - dataStart, file);
  const tensors = new Map<string, StoredTensor>();
  for (const entry of entries) {
    const { name, dtype, shape } = entry;
    tensors.set(name, { dtype, shape, data: dataOf(bytes, dataStart, entry) });
  }
  return { tensors, metadata };
}

/** Reads the header; tensors are read by their byte range when they are asked for. */
export async function openSafetensorsSource(source: ByteSource): Promise<WeightsFile> {
  const file = source.name;
  const first = Math.min(LENGTH_BYTES, source.size);
  const start = await readBytes(source, 0, first, 'the length of the header');
  const dataStart = dataStartOf(start, source.size, failing(file));
  const header = await readBytes(source, LENGTH_BYTES, dataStart - LENGTH_BYTES, 'the header');
  const { entries, metadata } = readHeader(header, source.size - dataStart, file);
  const keras = metadata['format'] === 'keras' || metadata['format'] === 'tf';
  return new WeightsFile({
    format: 'safetensors',
    file,
    layout: keras ? 'keras' : 'pytorch',
    metadata,
    entries: new Map(
      entries.map(({ name, dtype, shape, begin, end }) => [
        name,
        {
          dtype,
          shape,
          load: () => loadRange(source, dtype, dataStart + begin, end - begin, `tensor '${name}'`),
        },
      ]),
    ),
    prefetch: source.prefetch?.bind(source),
    close: () => source.close(),
  });
}

function expectStorable(name: string, { dtype, shape, data }: StoredTensor): string {
  const fail = failing(`serializeSafetensors: tensor '${name}'`);
  const code = codes.get(dtype);
  if (!code)
    return fail(`unknown dtype '${String(dtype)}'; known are ${[...codes.keys()].join(', ')}`);
  if (name === METADATA)
    return fail('the format keeps this name for notes; give the tensor another');
  const type = arrayTypes[dtype];
  if (!(data instanceof type))
    return fail(`${dtype} is stored from a ${type.name}, got something else`);
  if (!shape.every((length) => isLength(length)))
    return fail(`its shape must be whole numbers >= 0, got [${shape.join(', ')}]`);
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== data.length)
    return fail(`shape [${shape.join(', ')}] has ${size} elements, got ${data.length}`);
  return code;
}

/**
 * The bytes of a safetensors file. Equal input gives equal bytes: wider types come first, so that all are aligned, else the
 * map's order is kept. Throws a WeightsError (`format`) that names a tensor whose data do not fit its dtype and shape.
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const ordered = [...tensors].toSorted(
    ([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT,
  );
  const described: string[] = [];
  const describe = (name: string, value: object): void => {
    described.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  };
  if (Object.keys(metadata).length > 0) describe(METADATA, metadata);
  let offset = 0;
  for (const [name, tensor] of ordered) {
    const dtype = expectStorable(name, tensor);
    const end = offset + tensor.data.byteLength;
    describe(name, { dtype, shape: tensor.shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = new TextEncoder().encode(`{${described.join(',')}}`);
  const headerLength = Math.ceil(json.length / 8) * 8;
  const dataStart = LENGTH_BYTES + headerLength;
  const bytes = new Uint8Array(dataStart + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, LENGTH_BYTES, dataStart);
  bytes.set(json, LENGTH_BYTES);
  let at = dataStart;
  for (const [, { data }] of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
