// Damages weight files in reproducible ways and reads what is left.

import { openWeights, WeightsError, type OpenWeightsOptions } from '../src/index.ts';
import { fixture } from './fixtures.ts';

export interface FuzzTarget {
  readonly format: string;
  readonly files: readonly string[];
  readonly options?: OpenWeightsOptions;
}

const shard = (): Uint8Array => fixture('tfjs/uint8-shard1of1.bin');

export const targets: readonly FuzzTarget[] = [
  { format: 'safetensors', files: ['mixed.safetensors', 'tiny.safetensors'] },
  {
    format: 'PyTorch zip',
    files: [
      'mixed.pth',
      'training.pth',
      'foreign_globals.pth',
      'list.pth',
      'made/protocol4.pth',
      'made/deflated.pth',
    ],
  },
  {
    format: 'PyTorch legacy',
    files: ['mixed_legacy.pth', 'tiny_legacy.pth', 'made/complex_legacy.pth'],
  },
  { format: 'npy', files: ['c_order.npy', 'fortran_order.npy', 'version2.npy', 'big_endian.npy'] },
  {
    format: 'npz',
    files: ['tiny.npz', 'tiny_compressed.npz', 'made/kinds.npz', 'made/with_object.npz'],
  },
  { format: 'tfjs', files: ['tfjs/uint8.json'], options: { siblings: shard } },
  {
    format: 'HDF5',
    files: [
      'tiny_keras.h5',
      'tiny_keras_chunked.h5',
      'tiny_keras_latest.h5',
      'tiny_keras_model.h5',
      'made/many.h5',
      'made/chunks_new.h5',
      'made/split.h5',
    ],
  },
  {
    format: 'Keras 3',
    files: ['made/stored.keras', 'made/deflated.keras', 'made/named.weights.h5'],
  },
];

/** Uniform in [0, 1), mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const numbers = [
  0n,
  1n,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** A damaged copy: bytes changed, a number overwritten, the end cut off, a part moved, doubled or taken out. */
function mutate(original: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  let bytes = new Uint8Array(original);
  // Most of some files is filling; every other time what is changed is something.
  const place = (): number => {
    const at = below(bytes.length);
    if (random() < 0.5) return at;
    const next = bytes.findIndex((byte, i) => i >= at && byte !== 0);
    return next < 0 ? at : next;
  };
  for (let count = 1 + below(3); count > 0 && bytes.length > 16; count--) {
    switch (below(7)) {
      case 0:
      case 1:
        for (let i = below(8); i >= 0; i--) bytes[place()] = below(256);
        break;
      case 2:
        bytes[place()]! ^= 1 << below(8);
        break;
      case 3: {
        const width = [1, 2, 4, 8][below(4)]!;
        const at = Math.min(place(), bytes.length - width);
        const value = numbers[below(numbers.length)]!;
        for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
        break;
      }
      case 4:
        bytes = bytes.slice(0, below(bytes.length));
        break;
      case 5: {
        const length = 1 + below(64);
        bytes.copyWithin(place(), place(), bytes.length);
        bytes = bytes.slice(0, Math.max(1, bytes.length - (random() < 0.5 ? 0 : length)));
        break;
      }
      default: {
        const at = below(bytes.length);
        const end = Math.min(bytes.length, at + 1 + below(32));
        const rest = random() < 0.5 ? bytes.subarray(end) : bytes.subarray(at);
        const joined = new Uint8Array(Math.min(end, bytes.length) + rest.length);
        joined.set(bytes.subarray(0, end));
        joined.set(rest, end);
        bytes = joined;
      }
    }
  }
  return bytes;
}

export interface FuzzResult {
  readonly read: number;
  readonly refused: number;
  /** Of one file, in ms. */
  readonly slowest: number;
  /** Of all tensors of one file. */
  readonly largest: number;
}

/** Reads `count` damaged files. Throws, with the seed, where one gives anything but tensors or a WeightsError. */
export async function fuzz(
  { files, options = {} }: FuzzTarget,
  count: number,
): Promise<FuzzResult> {
  const originals = files.map(fixture);
  let [read, refused, slowest, largest] = [0, 0, 0, 0];
  for (let seed = 0; seed < count; seed++) {
    const bytes = mutate(originals[seed % files.length]!, randomOf(seed));
    const start = performance.now();
    try {
      const file = await openWeights(bytes, options);
      let total = 0;
      for (const name of file.entries.keys()) {
        const { shape, data } = await file.readStored(name);
        total += data.byteLength;
        if (data.length !== shape.reduce((product, length) => product * length, 1)) {
          throw new Error(`'${name}' has ${data.length} elements for [${shape.join(', ')}]`);
        }
      }
      largest = Math.max(largest, total);
      read++;
    } catch (error) {
      if (!(error instanceof WeightsError)) {
        throw new Error(`${files[seed % files.length]}, seed ${seed}: ${String(error)}`, {
          cause: error,
        });
      }
      refused++;
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  return { read, refused, slowest, largest };
}
