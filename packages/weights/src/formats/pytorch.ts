// PyTorch checkpoints, as torch.save writes them: a zip archive since 1.6, before that a stream of pickles with the storages
// after them. Only tensors are read, nothing is executed.

import { failing, WeightsError, type Fail } from '../errors.ts';
import { allocate, readBytes, type ByteSource } from '../sources/source.ts';
import {
  arrayTypes,
  bytesOf,
  elementsOf,
  gather,
  swapBytes,
  viewAs,
  type StoredData,
} from '../tensors.ts';
import { WeightsFile, type LoadableEntry } from '../weights-file.ts';
import { PickleCutOff, PickleFault, unpickle, type PickleRules } from './pickle.ts';
import { torchRules, type Storage, type TorchTensor } from './pytorch-tensors.ts';
import { findStateDict } from './state-dict.ts';
import { readZipEntry, readZipInto, type Zip, type ZipEntry } from './zip.ts';

export interface PytorchOptions {
  /** Which state dict of several, as a dotted path. Default: the usual ones (`state_dict`, `model`, ...). */
  readonly key?: string | undefined;
}

const MAX_PICKLE = 128 << 20;
/** Views may repeat elements (stride 0, shared storages); this much beyond four times what is stored. */
const MAX_REPEATED = 64 << 20;

/** Where a storage's bytes are. */
interface StoredBytes {
  readonly size: number;
  readonly bigEndian: boolean;
  readInto(target: Uint8Array, offset: number): Promise<void>;
}

type Locate = (storage: Storage, fail: Fail) => StoredBytes;

export function isLegacyPytorch(start: Uint8Array): boolean {
  // A pickle of the number 0x1950a86a20f9469cfc6c as a LONG1 of ten bytes.
  const magic = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
  // From protocol 4 on a frame's opcode and its length of eight bytes stand before it.
  const at = start[2] === 0x95 ? 11 : 2;
  return start[0] === 0x80 && magic.every((byte, i) => start[at + i] === byte);
}

/** The folder in the archive that `data.pkl` is in, or null where the archive is no checkpoint. */
export function pytorchRoot(zip: Zip): string | null {
  for (const name of zip.entries.keys()) {
    if (name === 'data.pkl' || /^[^/]+\/data\.pkl$/.test(name))
      return name.slice(0, -'data.pkl'.length);
  }
  return null;
}

function run(
  bytes: Uint8Array,
  start: number,
  rules: PickleRules,
  fail: Fail,
): { value: unknown; end: number } {
  try {
    return unpickle(bytes, start, rules);
  } catch (error) {
    if (error instanceof PickleFault) return fail(error.message);
    throw error;
  }
}

export async function openPytorchZip(
  zip: Zip,
  root: string,
  options: PytorchOptions,
): Promise<WeightsFile> {
  const { source, entries } = zip;
  const fail = failing(source.name);
  const script = [...entries.keys()].some(
    (name) => name === `${root}constants.pkl` || name.startsWith(`${root}code/`),
  );
  if (script) {
    return fail(
      'it is a TorchScript program, not a checkpoint; save its tensors in Python: torch.save(torch.jit.load(path).state_dict(), "weights.pth")',
      'refused',
    );
  }
  const text = async (name: string): Promise<string> => {
    const entry = entries.get(`${root}${name}`);
    if (!entry) return '';
    return new TextDecoder().decode(await readZipEntry(zip, entry, { limit: 64, check: false }));
  };
  const byteorder = (await text('byteorder')).trim() || 'little';
  if (byteorder !== 'little' && byteorder !== 'big')
    return fail(`its byte order is '${byteorder}'`);

  const pickled = entries.get(`${root}data.pkl`)!;
  const bytes = await readZipEntry(zip, pickled, { limit: MAX_PICKLE, check: false });
  let value: unknown;
  try {
    ({ value } = run(bytes, 0, torchRules, fail));
  } catch (error) {
    if (error instanceof PickleCutOff) return fail(`${error.message}; the file is damaged`);
    throw error;
  }
  // A deflated storage is unpacked once for all tensors that lie in it.
  let unpacked: { entry: ZipEntry; bytes: Uint8Array } | undefined;
  const locate: Locate = ({ key }, failTensor) => {
    const entry = entries.get(`${root}data/${key}`);
    if (!entry) return failTensor(`its storage '${key}' is not in the archive`);
    return {
      size: entry.size,
      bigEndian: byteorder === 'big',
      async readInto(target, offset) {
        if (!entry.deflated) return readZipInto(zip, entry, target, offset);
        if (unpacked?.entry !== entry) {
          unpacked = undefined;
          const limit = Number.MAX_SAFE_INTEGER;
          unpacked = { entry, bytes: await readZipEntry(zip, entry, { limit, check: false }) };
        }
        target.set(unpacked.bytes.subarray(offset, offset + target.length));
        return undefined;
      },
    };
  };
  return fileOf(source, value, locate, options);
}

export async function openPytorchLegacy(
  source: ByteSource,
  options: PytorchOptions,
): Promise<WeightsFile> {
  const fail = failing(source.name);
  const { system, value, used, keys, end } = await readPickles(source, fail);
  const bigEndian = system instanceof Map && system.get('little_endian') === false;
  if (!Array.isArray(keys)) return fail('the list of its storages is damaged');

  const storages = new Map(used.map((storage) => [storage.key, storage]));
  // Each storage: its number of elements, then these.
  const places = new Map<string, { start: number; size: number }>();
  let at = end;
  for (const key of keys.map(String)) {
    const width = widthOf(storages.get(key));
    if (width === null) {
      // Without its type nobody knows where the next one begins.
      return fail(
        `the type of its storage '${key}' is unknown; convert the file in Python: torch.save(torch.load(path), path)`,
        'refused',
      );
    }
    const head = await readBytes(source, at, 8, `storage '${key}'`);
    const view = new DataView(head.buffer, head.byteOffset, 8);
    const size = Number(view.getBigInt64(0, !bigEndian)) * width;
    if (!(size >= 0) || at + 8 + size > source.size) {
      return fail(
        `storage '${key}' is said to have ${size} bytes, but the file ends before; it is cut off or damaged`,
      );
    }
    places.set(key, { start: at + 8, size });
    at += 8 + size;
  }
  const locate: Locate = ({ key }, failTensor) => {
    const place = places.get(key);
    if (!place) return failTensor(`its storage '${key}' is not in the file`);
    const { start, size } = place;
    return {
      size,
      bigEndian,
      readInto: (target, offset) => source.readInto(target, start + offset),
    };
  };
  return fileOf(source, value, locate, options);
}

interface Pickles {
  readonly system: unknown;
  /** What was saved. */
  readonly value: unknown;
  /** The storages that it names. */
  readonly used: readonly Storage[];
  readonly keys: unknown;
  readonly end: number;
}

/** The five pickles at the start: magic number, protocol, about the system, what was saved, keys of the storages. */
async function readPickles(source: ByteSource, fail: Fail): Promise<Pickles> {
  // How long they are is not said anywhere: more is read until it is enough.
  for (let length = 64 << 10; ; length *= 4) {
    const known = Math.min(length, source.size, MAX_PICKLE);
    const bytes = await readBytes(source, 0, known, 'its pickles');
    try {
      const storages: Storage[] = [];
      const rules: PickleRules = {
        functions: torchRules.functions,
        persistent(id) {
          const value = torchRules.persistent(id);
          if (typeof value === 'object' && value !== null && 'typeName' in value) {
            storages.push(value as Storage);
          }
          return value;
        },
      };
      let at = 0;
      const next = (): unknown => {
        const { value, end } = run(bytes, at, rules, fail);
        at = end;
        return value;
      };
      next();
      const protocol = next();
      if (protocol !== 1001) fail(`its protocol is ${String(protocol)}; known is 1001`);
      const system = next();
      const value = next();
      const used = [...storages];
      const keys = next();
      return { system, value, used, keys, end: at };
    } catch (error) {
      if (!(error instanceof PickleCutOff)) throw error;
      if (known === source.size || known === MAX_PICKLE)
        fail(`${error.message}; the file is cut off or damaged`);
    }
  }
}

/** Bytes of an element; those of types without a counterpart by their names. */
function widthOf(storage: Storage | undefined): number | null {
  if (!storage) return null;
  if (storage.dtype) return arrayTypes[storage.dtype].BYTES_PER_ELEMENT;
  const widths: Record<string, number> = {
    'torch.ComplexDoubleStorage': 16,
    'torch.ComplexFloatStorage': 8,
    'torch.QInt8Storage': 1,
    'torch.QUInt8Storage': 1,
    'torch.QInt32Storage': 4,
  };
  return widths[storage.typeName] ?? null;
}

function fileOf(
  source: ByteSource,
  root: unknown,
  locate: Locate,
  { key }: PytorchOptions,
): WeightsFile {
  const { tensors, skipped } = findStateDict(root, key, failing(source.name));
  const entries = new Map<string, LoadableEntry>();
  let total = 0;
  const counted = new Set<string>();
  let stored = 0;
  for (const [name, tensor] of tensors) {
    const fail = failing(`${source.name}: tensor '${name}'`);
    const bytes = locate(tensor.storage, fail);
    expectWithin(tensor, bytes, fail);
    total += bytesOf(tensor.dtype, tensor.shape);
    if (!counted.has(tensor.storage.key)) stored += bytes.size;
    counted.add(tensor.storage.key);
    if (!(total <= 4 * stored + MAX_REPEATED)) {
      fail(
        `it and those before it take ${total} bytes, made of ${stored} that are stored; that many repetitions are not read`,
      );
    }
    const { dtype, shape } = tensor;
    entries.set(name, {
      dtype,
      shape,
      load: () => loadTensor(tensor, bytes, `${source.name}: tensor '${name}'`),
    });
  }
  return new WeightsFile({
    format: 'pytorch',
    file: source.name,
    layout: 'pytorch',
    entries,
    skipped,
    prefetch: source.prefetch?.bind(source),
    close: () => source.close(),
  });
}

/** How many elements a tensor spans in its storage, from its offset on. */
function spanOf({ shape, strides }: TorchTensor): number {
  if (elementsOf(shape) === 0) return 0;
  return shape.reduce((last, length, axis) => last + (length - 1) * strides[axis]!, 1);
}

function expectWithin(tensor: TorchTensor, bytes: StoredBytes, fail: Fail): void {
  const { storage, dtype, offset, shape } = tensor;
  const width = arrayTypes[dtype].BYTES_PER_ELEMENT;
  const capacity = Math.floor(bytes.size / width);
  const count = storage.dtype ? storage.count : Math.floor(storage.count / width);
  if (storage.offset + count > capacity) {
    fail(
      `its storage '${storage.key}' has ${capacity} elements, but ${storage.offset + count} are announced; the file is cut off or damaged`,
    );
  }
  if (Number.isNaN(elementsOf(shape)) || offset + spanOf(tensor) > count) {
    fail(`shape [${shape.join(', ')}] at ${offset} does not fit its storage of ${count} elements`);
  }
}

async function loadTensor(
  tensor: TorchTensor,
  stored: StoredBytes,
  what: string,
): Promise<StoredData> {
  const { storage, dtype, offset, shape, strides } = tensor;
  const width = arrayTypes[dtype].BYTES_PER_ELEMENT;
  const span = allocate(spanOf(tensor) * width, what);
  await stored.readInto(span, (storage.offset + offset) * width);
  const data = viewAs(dtype, span);
  if (stored.bigEndian) swapBytes(data);
  if (isContiguous(shape, strides)) return data;
  try {
    return gather(data, shape, strides);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new WeightsError('read', `${what}: no memory for it`, { cause: error });
  }
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return elementsOf(shape) === 0;
    expected *= shape[axis]!;
  }
  return true;
}
