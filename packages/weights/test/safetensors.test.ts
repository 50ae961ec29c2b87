import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  parseSafetensors,
  serializeSafetensors,
  toHostTensor,
  toHostTensors,
  WeightsError,
  type StoredDtype,
  type StoredTensor,
} from '../src/index.ts';
import { arrayTypes } from '../src/tensors.ts';
import { generated } from '../src/golden/generated.ts';

interface Expected {
  readonly tiny: { gain: number; state_dict: [string, number[]][] };
  readonly mixed: Record<
    string,
    { shape: number[]; dtype: string; data: (number | boolean | string)[] }
  >;
  readonly i64_as_strings: string[];
}

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`fixtures/${name}`, import.meta.url)));
const expected = JSON.parse(new TextDecoder().decode(fixture('manifest.json'))) as Expected;

const numberOf = (value: number | boolean | string): number => {
  if (value === 'inf') return Infinity;
  return value === '-inf' ? -Infinity : Number(value);
};

/** A file with this header before `data` bytes of zeros. */
function fileOf(header: string | Uint8Array, data = 0, length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function errorOf(f: () => unknown): WeightsError {
  try {
    f();
  } catch (error) {
    if (error instanceof WeightsError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function outcomeOf(bytes: Uint8Array): string {
  try {
    parseSafetensors(bytes);
    return 'tensors';
  } catch (error) {
    return (error as Error).name;
  }
}

/** A header with one tensor, `a`. */
const one = (entry: string): string => `{"a":${entry}}`;

describe('a file of PyTorch', () => {
  it('gives a state dict by name, shape and value', () => {
    const { tensors, metadata } = parseSafetensors(fixture('tiny.safetensors'));
    const { gain, state_dict: names } = expected.tiny;
    expect(metadata).toEqual({ format: 'pt' });
    expect([...tensors.keys()].toSorted()).toEqual(names.map(([name]) => name).toSorted());
    const values = names.map(([name, shape]) => {
      const counter = name.endsWith('num_batches_tracked');
      return [
        name,
        counter
          ? { dtype: 'int64', shape, data: BigInt64Array.of(0n) }
          : { dtype: 'float32', shape, data: generated(name, shape, gain) },
      ] as const;
    });
    expect(tensors).toEqual(new Map(values));
  });

  it.each(Object.entries(expected.mixed))('keeps the type of %s', (name, { shape, dtype }) => {
    const tensor = parseSafetensors(fixture('mixed.safetensors')).tensors.get(name)!;
    expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape]);
  });

  const ordinary = Object.entries(expected.mixed).filter(([name]) => name !== 'i64');

  it.each(ordinary)('gives the values of %s', (name, { data }) => {
    const tensor = parseSafetensors(fixture('mixed.safetensors')).tensors.get(name)!;
    const host = toHostTensor(tensor, name).data;
    expect(host).toHaveLength(data.length);
    // The list has 13 digits, and float64 comes as float32.
    const wrong = data.filter((value, i) => {
      const wanted = numberOf(value);
      return host[i] !== wanted && !(Math.abs(host[i]! - wanted) <= Math.abs(wanted) * 1e-7);
    });
    expect(wrong).toEqual([]);
  });

  it('gives 64-bit integers to the last digit', () => {
    const { data } = parseSafetensors(fixture('mixed.safetensors')).tensors.get('i64')!;
    expect(Array.from(data, String)).toEqual(expected.i64_as_strings);
  });

  it('comes in types that Convoke computes with on request', () => {
    const { tensors } = parseSafetensors(fixture('mixed.safetensors'));
    tensors.delete('i64');
    const dtypes = new Set([...toHostTensors(tensors).values()].map(({ dtype }) => dtype));
    expect([...dtypes].toSorted()).toEqual(['bool', 'float32', 'int32', 'uint8']);
  });

  it('with a number beyond int32 is told, not wrapped', () => {
    const { tensors } = parseSafetensors(fixture('mixed.safetensors'));
    const error = errorOf(() => toHostTensors(tensors, 'mixed.safetensors'));
    expect(error.code).toBe('range');
    expect(error.message).toMatch(
      /mixed\.safetensors: tensor 'i64': element 2 is 9007199254740993/,
    );
  });
});

describe('16-bit floats', () => {
  it('of IEEE have the values that the standard gives them', () => {
    const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
    const { data } = toHostTensor({ dtype: 'float16', shape: [0x10000], data: bits }, 'all');
    expect([0x0001, 0x03ff, 0x0400, 0x3c00, 0x3555, 0x7bff, 0xfc00].map((i) => data[i])).toEqual([
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      1,
      0.333251953125,
      65504,
      -Infinity,
    ]);
    expect(Object.is(data[0x8000], -0)).toBe(true);
    expect(data[0x7e00]).toBeNaN();
    // Finite halves rise with their bits.
    const finite = [...data.subarray(0, 0x7c00)];
    expect(finite.findIndex((value, i) => i > 0 && !(value > finite[i - 1]!))).toBe(-1);
  });

  it('of bfloat16 are the upper half of a float32', () => {
    const values = Float32Array.of(1, -2.5, Infinity, 2 ** -126, -0);
    const bits = Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16);
    const { data } = toHostTensor({ dtype: 'bfloat16', shape: [5], data: bits }, 'five');
    expect([...data]).toEqual([...values]);
  });
});

describe('a damaged file', () => {
  it.each([
    ['bad_truncated', /cut off/],
    ['bad_header_length', /header is said to have/],
    ['bad_short', /has 5 bytes/],
    ['bad_json', /not JSON/],
    ['bad_overlap', /overlap/],
    ['bad_shape', /takes \d+ bytes/],
    ['bad_dtype', /unknown dtype/],
    ['bad_out_of_range', /lie outside/],
  ])('%s is refused with the reason', (name, reason) => {
    const file = `${name}.safetensors`;
    const error = errorOf(() => parseSafetensors(fixture(file), { file }));
    expect(error.code).toBe('format');
    expect(error.message).toContain(file);
    expect(error.message).toMatch(reason);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /has 0 bytes/],
    ['a header beyond 2^53', fileOf('{}', 0, 2n ** 63n), /9223372036854775808 bytes/],
    ['a header beyond the limit', fileOf('{}', 0, 200_000_000n), /at most 100000000/],
    ['a header that is no text', fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/],
    ['a byte order mark', fileOf(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)), /not JSON/],
    ['a list for a header', fileOf('[]'), /no JSON object/],
    ['an entry that is none', fileOf(one('3')), /tensor 'a': its entry/],
    ['no dtype', fileOf(one('{"shape":[],"data_offsets":[0,4]}'), 4), /unknown dtype undefined/],
    [
      'a negative length',
      fileOf(one('{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}'), 4),
      /tensor 'a': its shape/,
    ],
    [
      'a fraction of an element',
      fileOf(one('{"dtype":"F32","shape":[0.5],"data_offsets":[0,2]}'), 2),
      /its shape/,
    ],
    [
      'a shape beyond counting',
      fileOf(one('{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}')),
      /takes 18446744073709552000 bytes/,
    ],
    [
      'offsets that run back',
      fileOf(one('{"dtype":"U8","shape":[0],"data_offsets":[2,1]}'), 2),
      /lie outside/,
    ],
    [
      'one offset',
      fileOf(one('{"dtype":"U8","shape":[1],"data_offsets":[0]}'), 1),
      /two whole numbers/,
    ],
    [
      'a hole before the first tensor',
      fileOf(one('{"dtype":"U8","shape":[1],"data_offsets":[1,2]}'), 2),
      /bytes 0 to 1 .* before tensor 'a'/,
    ],
    [
      'bytes after the last tensor',
      fileOf(one('{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'), 3),
      /bytes 1 to 3 at the end/,
    ],
    [
      'a name twice',
      fileOf(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "\\u0061" : {"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        2,
      ),
      /the name 'a' twice/,
    ],
    [
      'a property twice',
      fileOf(one('{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}'), 1),
      /the name 'dtype' twice/,
    ],
    ['notes that are no strings', fileOf('{"__metadata__":{"epoch":3}}'), /__metadata__/],
  ])('with %s is refused with the reason', (_, bytes, reason) => {
    const error = errorOf(() => parseSafetensors(bytes));
    expect(error.code).toBe('format');
    expect(error.message).toMatch(reason);
  });

  it('cut anywhere is refused', () => {
    const whole = fixture('mixed.safetensors');
    for (let length = 0; length < whole.length; length++) {
      expect(errorOf(() => parseSafetensors(whole.subarray(0, length))).code).toBe('format');
    }
  });

  it('with any byte of the header changed gives tensors or a WeightsError, never another', () => {
    const whole = fixture('tiny.safetensors');
    const header = Number(new DataView(whole.buffer).getBigUint64(0, true));
    fc.assert(
      fc.property(fc.nat(header + 7), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const damaged = whole.slice();
        damaged[at] = value;
        expect(outcomeOf(damaged)).toMatch(/^(tensors|WeightsError)$/);
      }),
    );
  });

  it('is known as an error of Convoke by its mark', () => {
    const error = errorOf(() => parseSafetensors(new Uint8Array(3)));
    expect((error as unknown as Record<symbol, unknown>)[Symbol.for('convoke.error')]).toBe(true);
  });
});

const dtypes = Object.keys(arrayTypes) as StoredDtype[];
const anyTensor: fc.Arbitrary<StoredTensor> = fc
  .tuple(
    fc.constantFrom(...dtypes),
    fc.array(fc.nat(3), { maxLength: 4 }),
    fc.infiniteStream(fc.nat(255)),
  )
  .map(([dtype, shape, stream]) => {
    const type = arrayTypes[dtype];
    const size = shape.reduce((product, length) => product * length, 1);
    const bytes = Uint8Array.from(
      { length: size * type.BYTES_PER_ELEMENT },
      () => stream.next().value,
    );
    return { dtype, shape, data: new type(bytes.buffer) };
  });

describe('a file written', () => {
  it('reads back as it was, notes included', () => {
    const names = fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__');
    const files = fc.tuple(
      fc.uniqueArray(fc.tuple(names, anyTensor), { selector: ([name]) => name, maxLength: 6 }),
      fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
    );
    fc.assert(
      fc.property(files, ([entries, metadata]) => {
        const read = parseSafetensors(serializeSafetensors(new Map(entries), metadata));
        expect(new Map(read.tensors)).toEqual(new Map(entries));
        expect(read.metadata).toEqual(metadata);
      }),
    );
  });

  it('aligns every tensor, whatever stands before it', () => {
    const bytes = serializeSafetensors(
      new Map<string, StoredTensor>([
        ['flag', { dtype: 'bool', shape: [], data: Uint8Array.of(1) }],
        ['wide', { dtype: 'float64', shape: [1], data: Float64Array.of(2) }],
        ['weight', { dtype: 'float32', shape: [1], data: Float32Array.of(3) }],
      ]),
    );
    const { tensors } = parseSafetensors(bytes);
    for (const { data } of tensors.values()) expect(data.buffer).toBe(bytes.buffer);
    expect([...tensors.keys()]).toEqual(['wide', 'weight', 'flag']);
  });

  it('is read from the middle of a larger buffer too', () => {
    const bytes = serializeSafetensors(
      new Map([['a', { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) }]]),
    );
    const larger = new Uint8Array(bytes.length + 5);
    larger.set(bytes, 3);
    const { tensors } = parseSafetensors(larger.subarray(3, 3 + bytes.length));
    expect(tensors.get('a')!.data).toEqual(Float32Array.of(1, 2));
  });

  it.each<[string, string, StoredTensor, RegExp]>([
    [
      'a shape that the data do not fill',
      'a',
      { dtype: 'float32', shape: [3], data: Float32Array.of(1) },
      /'a'.*3 elements, got 1/,
    ],
    [
      'data of another type',
      'a',
      { dtype: 'float32', shape: [1], data: Int32Array.of(1) },
      /Float32Array/,
    ],
    [
      'a type the format lacks',
      'a',
      { dtype: 'complex' as never, shape: [1], data: Int32Array.of(1) },
      /unknown dtype 'complex'/,
    ],
    [
      'the reserved name',
      '__metadata__',
      { dtype: 'int32', shape: [1], data: Int32Array.of(1) },
      /keeps this name/,
    ],
  ])('is not written with %s', (_, name, tensor, message) => {
    const error = errorOf(() => serializeSafetensors(new Map([[name, tensor]])));
    expect(error.message).toMatch(message);
  });
});
