import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { openWeights, readWeights, serializeNpz, type StoredTensor } from '../src/index.ts';
import { arrayTypes } from '../src/tensors.ts';
import { expectClose, fixture, rejection, wave } from './fixtures.ts';

const made = (name: string): Uint8Array => fixture(`made/${name}`);

describe('a NumPy file', () => {
  it('of version 3 is read', async () => {
    const { tensors, format } = await readWeights(made('version3.npy'));
    expect(format).toBe('npy');
    expect(tensors.get('array')!.shape).toEqual([2, 3]);
    expectClose(tensors.get('array')!.data, wave([2, 3], 0));
  });

  it('gives each array of an archive with its type, whatever the order of bytes and axes', async () => {
    const { tensors, format } = await readWeights(made('kinds.npz'), { stored: true });
    expect(format).toBe('npz');
    const described = [...tensors].map(
      ([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join()}]`,
    );
    expect(described).toEqual([
      'f8 float64 [4]',
      'i8 int64 [2]',
      'u2 uint16 [1]',
      'fortran float32 [2,3,4]',
      'big float32 [3]',
      'flags bool [2]',
      'empty float32 [0,3]',
    ]);
    expect([...(tensors.get('i8')!.data as BigInt64Array)]).toEqual([2n ** 40n, -5n]);
    expectClose(tensors.get('fortran')!.data as Float32Array, wave([2, 3, 4], 1));
    expectClose(tensors.get('big')!.data as Float32Array, wave([3], 2));
    expect([...(tensors.get('flags')!.data as Uint8Array)]).toEqual([1, 0]);
  });

  it('names an array of objects and gives the others', async () => {
    const { tensors, skipped } = await readWeights(made('with_object.npz'));
    expect([...tensors.keys()]).toEqual(['a']);
    expect(skipped).toEqual([{ name: 'b', reason: expect.stringContaining('Python objects') }]);
  });

  it('of records is refused', async () => {
    expect((await rejection(readWeights(made('records.npy')))).code).toBe('refused');
  });

  it('with a wrong checksum is damaged', async () => {
    const bytes = fixture('tiny.npz');
    bytes[200]! ^= 1;
    expect((await rejection(readWeights(bytes))).message).toContain('checksum');
  });
});

const storable = Object.keys(arrayTypes).filter(
  (dtype) => dtype !== 'bfloat16',
) as StoredTensor['dtype'][];
const tensors = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 8 }).filter((name) => name !== '__proto__'),
  fc
    .record({
      dtype: fc.constantFrom(...storable),
      shape: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
      seed: fc.nat({ max: 255 }),
    })
    .map(({ dtype, shape, seed }): StoredTensor => {
      const type = arrayTypes[dtype];
      const size = shape.reduce((product, length) => product * length, 1);
      const bytes = Uint8Array.from({ length: size * type.BYTES_PER_ELEMENT }, (_, i) =>
        dtype === 'bool' ? (seed + i) & 1 : (seed * 31 + i * 7) & 0x3f,
      );
      return { dtype, shape, data: new type(bytes.buffer, 0, size) };
    }),
  { maxKeys: 6 },
);

describe('serializeNpz', () => {
  it('gives files that read back to the same tensors', async () => {
    await fc.assert(
      fc.asyncProperty(tensors, async (record) => {
        const map = new Map(Object.entries(record));
        fc.pre(map.size > 0);
        const back = await readWeights(serializeNpz(map), { stored: true });
        expect(back.tensors).toEqual(map);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses what NumPy has no type for, and wrong shapes', () => {
    const half = { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0) } as const;
    expect(() => serializeNpz(new Map([['h', half]]))).toThrow(/'h': NumPy has no bfloat16/);
    const wrong = { dtype: 'float32', shape: [2], data: Float32Array.of(0) } as const;
    expect(() => serializeNpz(new Map([['w', wrong]]))).toThrow(
      /'w': shape \[2\] has 2 elements, got 1/,
    );
  });
});

/** The same archive with its sizes and places in 64 bits, as archives above 4 GiB have them. */
function inZip64(zip: Uint8Array): Uint8Array {
  const view = new DataView(zip.buffer);
  const end = zip.length - 22;
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  const parts: Uint8Array[] = [zip.slice(0, start)];
  let length = 0;
  for (let at = start, i = 0; i < count; i++) {
    const nameLength = view.getUint16(at + 28, true);
    const entry = new Uint8Array(46 + nameLength + 28);
    entry.set(zip.subarray(at, at + 46 + nameLength));
    const wide = new DataView(entry.buffer);
    const extra = 46 + nameLength;
    wide.setUint16(30, 28, true);
    wide.setUint16(extra, 1, true);
    wide.setUint16(extra + 2, 24, true);
    for (const [k, field] of [24, 20, 42].entries()) {
      wide.setBigUint64(extra + 4 + 8 * k, BigInt(view.getUint32(at + field, true)), true);
      wide.setUint32(field, 0xffffffff, true);
    }
    parts.push(entry);
    length += entry.length;
    at += 46 + nameLength;
  }
  const tail = new Uint8Array(56 + 20 + 22);
  const wide = new DataView(tail.buffer);
  wide.setUint32(0, 0x06064b50, true);
  wide.setBigUint64(24, BigInt(count), true);
  wide.setBigUint64(32, BigInt(count), true);
  wide.setBigUint64(40, BigInt(length), true);
  wide.setBigUint64(48, BigInt(start), true);
  wide.setUint32(56, 0x07064b50, true);
  wide.setBigUint64(64, BigInt(start + length), true);
  wide.setUint32(76, 0x06054b50, true);
  tail.fill(0xff, 84, 96);
  parts.push(tail);
  return new Uint8Array(Buffer.concat(parts));
}

describe('an archive in the form for more than 4 GiB', () => {
  it('is read as any other', async () => {
    const map = new Map([
      ['a', { dtype: 'float32', shape: [3], data: Float32Array.of(1, 2, 3) }],
      ['b', { dtype: 'int8', shape: [], data: Int8Array.of(-4) }],
    ] as const);
    const { tensors: back } = await readWeights(inZip64(serializeNpz(map)), { stored: true });
    expect(back).toEqual(map);
  });
});

describe('a deflated array', () => {
  it('that unpacks to more than announced stops there', async () => {
    // The size in the directory is the promise; the bytes behind it are many zeros.
    const bytes = fixture('tiny_compressed.npz');
    const view = new DataView(bytes.buffer);
    let at = bytes.length - 22;
    while (view.getUint32(at, true) !== 0x02014b50) at--;
    view.setUint32(at + 24, 200, true);
    await expect(openWeights(bytes)).rejects.toThrow(/follow its header|announced/);
  });
});
