import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { packedModule } from '../src/generated/kernels.ts';
import { loadModule, withPrivateMemory } from '../src/module.ts';
import { unpack } from '../src/unpack.ts';

const loaded = await loadModule(true);
const unshared = await loadModule(false);

const shared = { initial: 16, maximum: 32, shared: true };
const plain = { initial: 16, maximum: 32 };

function instantiate(module: WebAssembly.Module, descriptor: WebAssembly.MemoryDescriptor): void {
  const memory = new WebAssembly.Memory(descriptor);
  void new WebAssembly.Instance(module, { env: { memory, notice: (): void => undefined } });
}

test('one module takes shared memory, the other private memory', () => {
  instantiate(loaded, shared);
  instantiate(unshared, plain);
  expect(() => instantiate(loaded, plain)).toThrow(WebAssembly.LinkError);
  expect(() => instantiate(unshared, shared)).toThrow(WebAssembly.LinkError);
});

test('a module is compiled once for all engines', async () => {
  expect(await loadModule(true)).toBe(loaded);
  expect(await loadModule(false)).toBe(unshared);
});

test('a module without shared memory is not taken for ours', () => {
  const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
  expect(() => withPrivateMemory(empty)).toThrow(/no shared memory/);
});

test('the compiled module comes out of the pack as it went in', () => {
  const original = readFileSync(new URL('../build/kernels.wasm', import.meta.url));
  expect(Buffer.compare(unpack(Buffer.from(packedModule, 'base64')), original)).toBe(0);
});
