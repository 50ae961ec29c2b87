// TensorFlow.js models: a model.json whose weightsManifest tells names, types and shapes, and shards of bytes beside it, which
// may be quantised.

import { failing, type Fail } from '../errors.ts';
import { float32OfFloat16 } from '../half.ts';
import { allocate, type ByteSource } from '../sources/source.ts';
import { elementsOf, viewAs, type StoredData, type StoredDtype } from '../tensors.ts';
import { WeightsFile, type LoadableEntry, type SkippedEntry } from '../weights-file.ts';

/** Finds a shard by its path relative to model.json. */
export type OpenSibling = (path: string) => Promise<ByteSource>;

const dtypes: ReadonlyMap<string, StoredDtype> = new Map([
  ['float32', 'float32'],
  ['float16', 'float16'],
  ['int32', 'int32'],
  ['uint8', 'uint8'],
  ['uint16', 'uint16'],
  ['bool', 'bool'],
]);
const WIDTH: Partial<Record<StoredDtype, number>> = {
  float32: 4,
  int32: 4,
  float16: 2,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

interface Quantization {
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  readonly scale: number;
  readonly min: number;
}

/** One group: its shards, one after the other, as a single run of bytes. */
interface Shards {
  readonly sources: readonly ByteSource[];
  readonly size: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function isTfjsModel(json: unknown): boolean {
  return isObject(json) && Array.isArray(json['weightsManifest']);
}

export async function openTfjs(
  source: ByteSource,
  json: unknown,
  open: OpenSibling,
): Promise<WeightsFile> {
  const fail = failing(source.name);
  const { weightsManifest, modelTopology } = json as Record<string, unknown>;
  const entries = new Map<string, LoadableEntry>();
  const skipped: SkippedEntry[] = [];
  const opened: ByteSource[] = [];
  const close = async (): Promise<void> => {
    for (const shard of opened) await shard.close();
    await source.close();
  };
  try {
    for (const group of weightsManifest as unknown[]) {
      if (!isObject(group) || !Array.isArray(group['paths']) || !Array.isArray(group['weights'])) {
        return fail('a group of its weightsManifest lacks paths or weights');
      }
      const sources: ByteSource[] = [];
      for (const path of group['paths'] as unknown[]) {
        if (typeof path !== 'string') return fail('a path in its weightsManifest is no text');
        const shard = await open(path);
        opened.push(shard);
        sources.push(shard);
      }
      const shards = { sources, size: sources.reduce((sum, { size }) => sum + size, 0) };
      addGroup(group['weights'] as unknown[], shards, { entries, skipped, file: source.name });
    }
  } catch (error) {
    await close();
    throw error;
  }
  // Graph models name operations, not layers, but their kernels are TensorFlow's all the same.
  const layers = isObject(modelTopology) ? 'layers' : 'weights';
  return new WeightsFile({
    format: 'tfjs',
    file: source.name,
    layout: 'keras',
    metadata: { format: String((json as Record<string, unknown>)['format'] ?? layers) },
    entries,
    skipped,
    async prefetch() {
      for (const shard of opened) await shard.prefetch?.();
    },
    close,
  });
}

interface Found {
  readonly entries: Map<string, LoadableEntry>;
  readonly skipped: SkippedEntry[];
  readonly file: string;
}

function addGroup(
  weights: readonly unknown[],
  shards: Shards,
  { entries, skipped, file }: Found,
): void {
  let offset = 0;
  for (const weight of weights) {
    if (!isObject(weight) || typeof weight['name'] !== 'string') {
      return failing(file)('a weight in its weightsManifest has no name');
    }
    const name = weight['name'];
    const fail = failing(`${file}: tensor '${name}'`);
    const { shape } = weight;
    if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      return fail(`its shape must be a list of whole numbers >= 0, got ${JSON.stringify(shape)}`);
    }
    if (weight['dtype'] === 'string') {
      return fail(
        'it holds texts, whose length only reading them tells; save the model without it',
        'refused',
      );
    }
    if (weight['dtype'] === 'complex64') {
      // Its length is known, so that what follows can be read.
      skipped.push({ name, reason: 'complex64, which has no counterpart here' });
      offset += elementsOf(shape as number[]) * 8;
      continue;
    }
    const dtype = dtypes.get(String(weight['dtype']));
    if (!dtype) return fail(`unknown dtype ${JSON.stringify(weight['dtype'])}`);
    const quantization = quantizationOf(weight['quantization'], fail);
    const stored = quantization?.dtype ?? dtype;
    const bytes = elementsOf(shape as number[]) * WIDTH[stored]!;
    const begin = offset;
    if (!(begin + bytes <= shards.size)) {
      return fail(
        `its bytes ${begin} to ${begin + bytes} lie outside the ${shards.size} of the shards; one is cut off or missing`,
      );
    }
    offset += bytes;
    if (entries.has(name)) return fail('it is there twice');
    entries.set(name, {
      dtype: quantization && dtype !== 'int32' ? 'float32' : dtype,
      shape: shape as number[],
      async load() {
        const target = allocate(bytes, `${file}: tensor '${name}'`);
        await readShards(shards, target, begin);
        const data = viewAs(stored, target);
        return quantization ? dequantize(data, quantization, dtype) : data;
      },
    });
  }
  if (offset !== shards.size) {
    failing(file)(`its shards have ${shards.size} bytes, but the manifest describes ${offset}`);
  }
  return undefined;
}

function quantizationOf(value: unknown, fail: Fail): Quantization | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) return fail('its quantization is no object');
  const { dtype, scale = 1, min = 0 } = value;
  if (dtype === 'float16') return { dtype, scale: 1, min: 0 };
  if (
    (dtype !== 'uint8' && dtype !== 'uint16') ||
    typeof scale !== 'number' ||
    typeof min !== 'number'
  ) {
    return fail(
      `its quantization ${JSON.stringify(value)} is none that is known (uint8, uint16, float16)`,
    );
  }
  return { dtype, scale, min };
}

function dequantize(
  data: StoredData,
  { dtype, scale, min }: Quantization,
  to: StoredDtype,
): StoredData {
  if (dtype === 'float16') return float32OfFloat16(data as Uint16Array);
  const numbers = data as Uint8Array | Uint16Array;
  if (to === 'int32') return Int32Array.from(numbers, (value) => Math.round(value * scale + min));
  return Float32Array.from(numbers, (value) => value * scale + min);
}

async function readShards({ sources }: Shards, target: Uint8Array, begin: number): Promise<void> {
  let start = 0;
  for (const source of sources) {
    const from = Math.max(begin, start);
    const to = Math.min(begin + target.length, start + source.size);
    if (from < to) await source.readInto(target.subarray(from - begin, to - begin), from - start);
    start += source.size;
  }
}
