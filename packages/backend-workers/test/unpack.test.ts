import fc from 'fast-check';
import { expect, test } from 'vitest';

import { pack } from '../codegen/pack.ts';
import { unpack } from '../src/unpack.ts';

function expectBack(bytes: Uint8Array): void {
  expect(Buffer.compare(unpack(pack(bytes)), bytes)).toBe(0);
}

test('any bytes come out of the pack as they went in', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), expectBack), { numRuns: 30 });
});

test('repeated bytes, opcodes and their prefixes come out as they went in', () => {
  const opcodes = fc.constantFrom(11, 32, 65, 67, 252, 253, 254, 255);
  const piece = fc.array(fc.oneof(opcodes, fc.nat(255)), { minLength: 1, maxLength: 40 });
  const repeated = fc
    .array(fc.tuple(piece, fc.integer({ min: 1, max: 50 })), { maxLength: 8 })
    .map((pieces) =>
      Uint8Array.from(
        pieces.flatMap(([some, times]) => Array.from({ length: times }, () => some).flat()),
      ),
    );
  fc.assert(fc.property(repeated, expectBack), { numRuns: 30 });
});

test.each([0, 255])('a long run of %i takes a few bytes', (byte) => {
  const bytes = new Uint8Array(100_000).fill(byte);
  expectBack(bytes);
  expect(pack(bytes).length).toBeLessThan(100);
});

test('nothing packs to the length and the end', () => {
  expectBack(new Uint8Array());
  expect(pack(new Uint8Array()).length).toBe(8);
});

test('a pack that is cut off gives some bytes, and an end', () => {
  const packed = pack(Uint8Array.from({ length: 1000 }, (_, i) => (i * i) >> 3));
  expect(unpack(packed.subarray(0, 100)).length).toBe(1000);
});
