// What a content security policy leaves of the backend, and what probe() and use() say where it leaves too little.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { describeInChromium } from './chromium.ts';
import { ISOLATED, Project, serve, type Site } from './site.ts';

await describeInChromium('under a content security policy', (browser) => {
  let project: Project;
  let folder: string;
  let site: Site;
  beforeAll(async () => {
    project = await Project.create();
    folder = await project.vite();
  });
  afterEach(() => site.close());
  afterAll(() => project.remove());

  /** What probe() says, and what a sum or its failure gives. */
  async function tryUnder(policy: string): Promise<{ probe: unknown; result: unknown }> {
    site = await serve({ '/': folder }, { ...ISOLATED, 'content-security-policy': policy });
    const { page } = await browser.open(site.origin);
    return page.evaluate(async () => {
      const { api, backend, core } = globalThis.convoke;
      const probe = await backend.workers.probe();
      const sum = async (): Promise<number[]> => {
        await api.use('workers', { threads: 2 });
        return Array.from(await core.add(core.tensor([1, 2]), 1).data());
      };
      const result = await sum().catch(({ code, message }: { code: string; message: string }) => ({
        code,
        message,
      }));
      return { probe, result };
    });
  }

  test("without 'wasm-unsafe-eval' the reason names it", async () => {
    const { probe, result } = await tryUnder("script-src 'self'");
    expect(probe).toEqual({
      available: false,
      reason: expect.stringMatching(
        /content security policy must allow 'wasm-unsafe-eval' in script-src/,
      ),
    });
    expect(result).toEqual({
      code: 'backend-unavailable',
      message: expect.stringContaining("'wasm-unsafe-eval'"),
    });
  });

  test("'wasm-unsafe-eval' and workers of the page's own are enough", async () => {
    const policy = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:";
    const { probe, result } = await tryUnder(policy);
    expect(probe).toEqual({ available: true, detail: expect.stringContaining('shared memory') });
    expect(result).toEqual([2, 3]);
  });

  test('where workers are forbidden, use() names worker-src', async () => {
    const { result } = await tryUnder("script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'");
    expect(result).toEqual({
      code: 'backend-unavailable',
      message: expect.stringContaining('worker-src'),
    });
  });
});
