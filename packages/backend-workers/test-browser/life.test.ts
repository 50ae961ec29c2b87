// How workers live and die on a page, and that the page's own thread goes on meanwhile.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Page } from 'playwright-core';

import { describeInChromium } from './chromium.ts';
import { ISOLATED, Project, serve, type Site } from './site.ts';

declare global {
  /** Queues products of 1024 x 1024 matrices, seconds of work, and reads the last. */
  var readAfterLongWork: () => Promise<unknown>;
  /** How many workers live: each holds a lock. */
  var countLocks: () => Promise<number>;
}

/** On the page. */
function prepare(): void {
  const { core } = globalThis.convoke;
  globalThis.readAfterLongWork = () =>
    core.scope(() => {
      const x = core.ones([1024, 1024]);
      let y = x;
      for (let i = 0; i < 300; i++) y = core.matmul(x, x);
      return core.sum(y).item();
    });
  globalThis.countLocks = async () => {
    const { held = [] } = await navigator.locks.query();
    return held.filter(({ name }) => name?.startsWith('convoke-worker-')).length;
  };
}

await describeInChromium('workers of a page', (browser) => {
  let project: Project;
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    project = await Project.create();
    site = await serve({ '/': await project.vite() }, ISOLATED);
  });
  afterAll(async () => {
    site?.close();
    await project?.remove();
  });
  beforeEach(async () => {
    ({ page } = await browser.open(site.origin));
    await page.evaluate(prepare);
  });

  test.each([1, 2])(
    'one of %i that the page terminates fails the read that waits',
    async (count) => {
      const outcome = await page.evaluate(async (threads) => {
        const { api, core } = globalThis.convoke;
        await api.use('workers', { threads });
        const read = globalThis.readAfterLongWork().catch((error: { code: string }) => error.code);
        await new Promise((resolve) => setTimeout(resolve, 50));
        globalThis.startedWorkers.at(-1)!.terminate();
        const second = new Promise((resolve) => setTimeout(resolve, 1000, 'nothing in a second'));
        const first = await Promise.race([read, second]);
        const { mode } = await api.use('workers');
        const x = core.tensor([1, 2]);
        return [first, mode, Array.from(await core.add(x, x).data())];
      }, count);
      expect(outcome).toEqual(['backend-lost', expect.stringMatching(/threads?, /), [2, 4]]);
    },
  );

  test("one that ends without the page's doing frees its lock, which is noticed", async () => {
    const told = await page.evaluate(async () => {
      const { backend } = globalThis.convoke;
      const lost = await backend.createWorkers({ threads: 2 });
      const loss = new Promise((resolve) => lost.onLost(({ code }) => resolve(code)));
      // Past the worker object, as the browser itself would.
      Worker.prototype.terminate.call(globalThis.startedWorkers[1]);
      return loss;
    });
    expect(told).toBe('backend-lost');
  });

  test('all end with dispose, at once, though work is queued', async () => {
    const outcome = await page.evaluate(async () => {
      const { api } = globalThis.convoke;
      const backend = await api.use('workers', { threads: 3 });
      const before = await globalThis.countLocks();
      const read = globalThis.readAfterLongWork().catch((error: { code: string }) => error.code);
      await new Promise((resolve) => setTimeout(resolve, 50));
      backend.dispose();
      // Chromium ends a worker that stays in its loop after two seconds.
      const patience = performance.now() + 1500;
      while ((await globalThis.countLocks()) > 0 && performance.now() < patience);
      return [before, await read, await globalThis.countLocks()];
    });
    expect(outcome).toEqual([3, 'disposed', 0]);
    await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(0);
  });

  test('of two backends know nothing of each other', async () => {
    const outcome = await page.evaluate(async () => {
      const { api, backend, core } = globalThis.convoke;
      const one = await backend.createWorkers({ threads: 2 });
      const two = await backend.createWorkers({ threads: 1 });
      const sums = [];
      for (const [i, engine] of [one, two, one, two].entries()) {
        await api.use(engine);
        sums.push(core.sum(core.full([1000], i + 1)).item());
      }
      const values: unknown[] = await Promise.all(sums);
      one.dispose();
      await api.use(two);
      return [...values, await core.sum(core.ones([5])).item()];
    });
    expect(outcome).toEqual([1000, 2000, 3000, 4000, 5]);
    await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(1);
  });

  test('leave the page its thread: a timer ticks while 2,000 ops wait', async () => {
    const { total, longest, ticks } = await page.evaluate(async () => {
      const { api, core } = globalThis.convoke;
      await api.use('workers', { threads: 2 });
      const gaps: number[] = [];
      let last = performance.now();
      const tick = (): void => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
      };
      const timer = setInterval(tick, 16);
      const begin = performance.now();
      const value = core.scope(() => {
        const x = core.ones([192, 192]);
        let y = x;
        for (let i = 0; i < 2000; i++) y = core.matmul(x, x);
        return core.sum(y).item();
      });
      await value;
      clearInterval(timer);
      tick();
      return { total: performance.now() - begin, longest: Math.max(...gaps), ticks: gaps.length };
    });
    // A page that waited for the work would see one gap as long as all of it.
    expect(longest).toBeLessThan(total / 2);
    expect(ticks).toBeGreaterThan(10);
  });
});
