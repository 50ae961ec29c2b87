import { BackendError } from '@convoke/backend-api';
import { expect, test } from 'vitest';

import { freshArrays, Memory } from '../src/storage.ts';

const POOL = 64 * 2 ** 20;

function recycled(memory: Memory, length: number): Float32Array {
  const array = memory.take('float32', length);
  memory.give(array);
  return array;
}

test('a released float32 array is given out again for the same length, zeroed only on request', () => {
  const memory = new Memory(null);
  const array = recycled(memory, 8192).fill(7);
  expect(memory.pooledBytes).toBe(8192 * 4);
  expect(memory.take('float32', 8193)).not.toBe(array);
  expect(memory.take('float32', 8192)).toBe(array);
  expect(memory.pooledBytes).toBe(0);
  expect(array[0]).toBe(7);
  memory.give(array);
  expect(memory.zeros('float32', 8192)).toBe(array);
  expect(array.every((value) => value === 0)).toBe(true);
});

test('small arrays and other dtypes are left to the collector', () => {
  const memory = new Memory(null);
  recycled(memory, 16);
  memory.give(memory.take('int32', 8192));
  expect(memory.pooledBytes).toBe(0);
});

test('the pool is bounded, and lengths longest out of use go first', () => {
  const memory = new Memory(null);
  const third = POOL / 4 / 3;
  const lengths = [third, third - 1, third - 2, third - 3].map(Math.floor);
  const arrays = lengths.map((length) => memory.take('float32', length));
  for (const array of arrays) memory.give(array);
  expect(memory.pooledBytes).toBeLessThanOrEqual(POOL);
  expect(memory.take('float32', lengths[0]!)).not.toBe(arrays[0]);
  expect(memory.take('float32', lengths[3]!)).toBe(arrays[3]);
  memory.clear();
  expect(memory.pooledBytes).toBe(0);
});

test('storage is counted while anyone holds it and recycled after', () => {
  const memory = new Memory(null);
  const storage = memory.store(memory.take('float32', 4096));
  memory.hold(storage);
  memory.hold(storage);
  memory.drop(storage);
  expect([memory.heldBytes, memory.pooledBytes]).toEqual([16384, 0]);
  memory.drop(storage);
  expect([memory.heldBytes, memory.pooledBytes]).toEqual([0, 16384]);
});

test('what an op takes counts against the limit until it is given back or the next begins', () => {
  const memory = new Memory(100);
  memory.begin('conv2d');
  const scratch = memory.take('float32', 20);
  expect(() => memory.take('uint8', 21)).toThrow(
    new BackendError(
      'backend-memory',
      'js: conv2d needs another 21 bytes while tensors hold 0 and the op itself 80: more than the maxBytes of 100 this backend was created with. Dispose of tensors that are no longer needed (scope() does), or work on smaller batches',
    ),
  );
  memory.give(scratch);
  expect(memory.take('int32', 25)).toHaveLength(25);
  memory.begin('add');
  expect(memory.zeros('bool', 100)).toHaveLength(100);
});

test('without a backend arrays are new', () => {
  expect(freshArrays.take('int32', 3)).toEqual(new Int32Array(3));
  expect(freshArrays.zeros('float32', 3)).toEqual(new Float32Array(3));
});
