// The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes, little-endian, without holes.
// Files come from outside: everything the header says is checked before it is used.

import { WeightsError } from '../errors.ts';
import { arrayTypes, type StoredData, type StoredDtype, type StoredTensor } from '../tensors.ts';
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

type Fail = (message: string) => never;

function failing(where: string): Fail {
  return (message) => {
    throw new WeightsError('format', `${where}: ${message}`);
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The header's text, and where the data begins. */
function headerOf(bytes: Uint8Array, fail: Fail): { text: string; dataStart: number } {
  if (bytes.length < LENGTH_BYTES) {
    return fail(
      `the file has ${bytes.length} bytes; a safetensors file has at least ${LENGTH_BYTES}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  const rest = bytes.length - LENGTH_BYTES;
  if (length > BigInt(Math.min(rest, MAX_HEADER))) {
    const limit =
      length > BigInt(MAX_HEADER) ? `at most ${MAX_HEADER} are allowed` : `${rest} follow`;
    return fail(
      `the header is said to have ${length} bytes, but ${limit}: the file is cut off, or no safetensors file`,
    );
  }
  const dataStart = LENGTH_BYTES + Number(length);
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { text: decoder.decode(bytes.subarray(LENGTH_BYTES, dataStart)), dataStart };
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

/**
 * The tensors of a safetensors file, with the types they are stored in, in the order of their data, which are views of
 * `bytes` where alignment allows and copies elsewhere. Throws a WeightsError (`format`) that names the file, and the tensor
 * where one is at fault.
 */
export function parseSafetensors(bytes: Uint8Array, options: ParseOptions = {}): Safetensors {
  const { file = 'safetensors data' } = options;
  const fail = failing(file);
  const { text, dataStart } = headerOf(bytes, fail);
  const { [METADATA]: notes, ...described } = parseHeader(text, fail);
  const metadata = parseMetadata(notes, fail);
  const available = bytes.length - dataStart;
  const entries = Object.entries(described).map(([name, value]) =>
    parseEntry(file, name, value, available),
  );
  const tensors = new Map<string, StoredTensor>();
  for (const entry of inOrder(file, entries, available)) {
    const { name, dtype, shape } = entry;
    tensors.set(name, { dtype, shape, data: dataOf(bytes, dataStart, entry) });
  }
  return { tensors, metadata };
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
