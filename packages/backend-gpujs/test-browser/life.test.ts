// How the backend comes to life on a page and ends: textures, a context that the browser takes away, what it leaves alone.

import { CHROMIUM_FLAGS } from '@convoke/backend-testkit/node';
import { beforeEach, expect, test } from 'vitest';
import type { Page } from 'playwright-core';

import { describeInChromium } from './chromium.ts';
import { trainAndCount, watchWebGl } from './textures.ts';

await describeInChromium('gpujs on a page', (browser) => {
  let page: Page;
  beforeEach(async () => {
    ({ page } = await browser.open({ before: watchWebGl }));
  });

  test('replaces no global when it is imported and used', async () => {
    const added = await page.evaluate(async () => {
      const { backend, core } = globalThis.kit;
      const { GPU } = globalThis as { GPU?: unknown };
      const gpu = await backend.createGpujs();
      const names = Object.getOwnPropertyNames(globalThis);
      gpu.dispose();
      const native = String(GPU).includes('[native code]');
      return [native, names.filter((name) => !globalThis.namesBefore.includes(name)), typeof core];
    });
    expect(added).toEqual([true, ['namesBefore', 'contexts', 'liveTextures', 'kit'], 'object']);
  });

  test('trains without reading back; holds as many textures after 40 steps as after 10, and none when disposed of', async () => {
    const { textures, handles, readBacks, left } = await page.evaluate(trainAndCount, [10, 20, 40]);
    expect(textures[0]).toBeGreaterThan(10);
    expect(textures).toEqual(textures.map(() => textures[0]));
    expect(handles).toEqual(handles.map(() => handles[0]));
    expect(readBacks).toBe(0);
    expect(left).toBe(0);
  });

  test('a context that is taken away fails the read that waits, and use() starts anew', async () => {
    const outcome = await page.evaluate(async () => {
      const { backend, core } = globalThis.kit;
      core.register(backend.gpujs);
      const lost = await core.use('gpujs');
      const told = new Promise((resolve) => lost.onLost(({ code }) => resolve(code)));
      const x = core.ones([64, 64]);
      let y = x;
      for (let i = 0; i < 20; i++) y = core.mul(core.matmul(y, x), 1 / 64);
      const waiting = y.data().catch(({ code }: { code: string }) => code);
      globalThis.contexts.at(-1)!.getExtension('WEBGL_lose_context')!.loseContext();
      // The browser tells of the loss in an event, later.
      const meanwhile = ((): string => {
        try {
          core.relu(core.sub(x, 0.5)).dispose();
          return 'ran';
        } catch (error) {
          return (error as { code: string }).code;
        }
      })();
      const later = await y.data().catch(({ code }: { code: string }) => code);
      const outcomes = [await waiting, await told, meanwhile, later];
      x.dispose();
      const fresh = await core.use('gpujs');
      const sum = await core.sum(core.ones([10])).item();
      return { outcomes, anew: fresh !== lost, mode: fresh.mode, sum };
    });
    expect(outcome).toEqual({
      outcomes: ['backend-lost', 'backend-lost', 'backend-lost', 'backend-lost'],
      anew: true,
      mode: 'webgl2',
      sum: 10,
    });
  });

  test('while it waits for a long computation it leaves the processor to others', async () => {
    const waited = await page.evaluate(async () => {
      const { backend, core } = globalThis.kit;
      const gpu = await core.use(await backend.createGpujs());
      const prototype = WebGL2RenderingContext.prototype;
      const { clientWaitSync } = prototype;
      let looks = 0;
      prototype.clientWaitSync = function count(...given) {
        looks++;
        return clientWaitSync.apply(this, given);
      };
      const x = core.ones([512, 512]);
      const started = performance.now();
      for (let i = 0; i < 8; i++) core.matmul(x, x).dispose();
      await gpu.sync();
      const ms = performance.now() - started;
      prototype.clientWaitSync = clientWaitSync;
      gpu.dispose();
      return { looks, ms };
    });
    expect(waited.looks).toBeGreaterThan(0);
    // A hundred at once, then one a millisecond.
    expect(waited.looks).toBeLessThan(100 + waited.ms);
  });

  test('WebGPU works by name, and a mode that is not offered is refused with the reason', async () => {
    const outcome = await page.evaluate(async () => {
      const { backend, core } = globalThis.kit;
      const gpu = await core.use(await backend.createGpujs({ mode: 'webgpu' }));
      const x = core.tensor([3, 4]);
      const length = await core.sqrt(core.sum(core.mul(x, x))).item();
      const waiting = core.exp(x).data();
      gpu.dispose();
      const code = await waiting.catch((error: { code: string }) => error.code);
      const refused = await backend
        .createGpujs({ mode: 'headlessgl' as never })
        .catch(({ message }: Error) => message);
      return { mode: gpu.mode, length, code, refused };
    });
    expect(outcome).toEqual({
      mode: 'webgpu',
      length: expect.closeTo(5, 5),
      code: 'disposed',
      refused: expect.stringMatching(/headlessgl.*native package gl/),
    });
  });

  test('says which mode it has, and what draws', async () => {
    const listed = await page.evaluate(async () => {
      const { backend, core } = globalThis.kit;
      core.register(backend.gpujs);
      const [before] = await core.list();
      await core.use('gpujs', { mode: 'webgl' });
      const [after] = await core.list();
      return [before!.reason, after!.reason, after!.current];
    });
    expect(listed).toEqual([
      expect.stringMatching(/^webgl2, .*SwiftShader.*no GPU/),
      'webgl',
      true,
    ]);
  });
  test.each([
    ['ANGLE (NVIDIA, NVIDIA GeForce RTX 3060 Direct3D11 vs_5_0 ps_5_0)', 20],
    ['Apple GPU', 20],
    ['ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11)', 5],
    ['llvmpipe (LLVM 15.0.7, 256 bits)', 5],
    ['WebKit WebGL', 5],
  ])('where %s draws, its priority is %i', async (renderer, priority) => {
    const listed = await page.evaluate(async (name) => {
      const { backend, core } = globalThis.kit;
      const prototype = WebGL2RenderingContext.prototype;
      const { getParameter } = prototype;
      const UNMASKED_RENDERER_WEBGL = 0x9246;
      prototype.getParameter = function answer(parameter) {
        return parameter === UNMASKED_RENDERER_WEBGL ? name : getParameter.call(this, parameter);
      };
      core.register(backend.gpujs);
      return (await core.list())[0]!;
    }, renderer);
    expect(listed).toMatchObject({ name: 'gpujs', priority, available: true });
    expect(listed.reason).toContain(`webgl2, ${renderer}`);
  });
});

await Promise.all(
  [['--disable-3d-apis'], ['--disable-gpu', '--disable-software-rasterizer']].map(async (flags) =>
    describeInChromium(
      `without WebGL by ${flags.join(' ')}`,
      (browser) => {
        test('asking for gpujs is an error that says so, and the best backend is another', async () => {
          const { page } = await browser.open();
          const outcome = await page.evaluate(async () => {
            const { backend, core, js } = globalThis.kit;
            core.register(js);
            core.register(backend.gpujs);
            const asked = async (options?: object): Promise<unknown> =>
              core
                .use('gpujs', options)
                .then(({ mode }) => mode)
                .catch(({ code, message }: { code: string; message: string }) => ({
                  code,
                  message,
                }));
            const refused = [await asked(), await asked({ mode: 'webgl2' })];
            const [listed] = await core.list();
            const best = await core.best();
            return { refused, listed, best: { name: best.backend.name, reason: best.reason } };
          });
          const reason = expect.stringMatching(/no WebGL with float textures.*disable it/);
          const refusal = { code: 'backend-unavailable', message: reason };
          expect(outcome.refused).toEqual([refusal, refusal]);
          expect(outcome.listed).toMatchObject({ name: 'gpujs', available: false, reason });
          expect(outcome.best).toEqual({
            name: 'js',
            reason: expect.stringMatching(/'gpujs' cannot work here.*; 'js' has priority/),
          });
        });
      },
      { flags: [...CHROMIUM_FLAGS, ...flags] },
    ),
  ),
);
