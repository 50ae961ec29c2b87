import { afterEach, describe, expect, test, vi } from 'vitest';

import { createEngine } from '../src/engine.ts';
import { hasRelaxedSimd, probe } from '../src/probe.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('probe', () => {
  test('here everything is there', async () => {
    const result = await probe();
    expect(result).toEqual({
      available: true,
      detail: expect.stringMatching(/^\d threads, (relaxed )?SIMD, shared memory$/),
    });
  });

  test('without WebAssembly it says so', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    expect(await probe()).toEqual({
      available: false,
      reason: expect.stringContaining('no WebAssembly here'),
    });
    await expect(createEngine()).rejects.toThrow(/^workers: there is no WebAssembly here/);
  });

  test('without SIMD it names what is needed', async () => {
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect(await probe()).toEqual({
      available: false,
      reason: expect.stringContaining('no SIMD'),
    });
  });

  test('a content security policy that forbids compiling is named', async () => {
    vi.stubGlobal('WebAssembly', {
      validate: () => true,
      Module: vi.fn<() => never>(function forbidden() {
        throw new WebAssembly.CompileError('violates the policy');
      }),
      CompileError: WebAssembly.CompileError,
    });
    expect(await probe()).toEqual({
      available: false,
      reason: expect.stringMatching(/wasm-unsafe-eval.*violates the policy/),
    });
  });

  test('where memory cannot be shared, it works with one thread and says why', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    expect(await probe()).toEqual({
      available: true,
      detail: expect.stringMatching(/^1 thread, .*private memory: .*Cross-Origin-Opener-Policy/),
    });
  });

  test('an engine without shared memory says why on the console, once', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    const engines = [await createEngine({ threads: 4 }), await createEngine()];
    expect(engines.map(({ threads }) => threads)).toEqual([1, 1]);
    for (const engine of engines) engine.dispose();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/one worker with private memory, because .*cross-origin isolated/)],
    ]);
  });

  test('relaxed SIMD is found exactly where V8 has it', () => {
    const [major] = process.versions.v8.split('.').map(Number);
    expect(hasRelaxedSimd()).toBe(major! >= 12);
  });
});
