// The conformance kit on a page that Vite built, in every mode: on 1, 2 and 4 threads with shared memory, on one worker
// with a memory of its own, in both precisions.

import type { Report } from '@convoke/backend-testkit';
import type { Precision } from '@convoke/backend-workers';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { describeInChromium, type Tab } from '../test-browser/chromium.ts';
import { fixturesFolder, ISOLATED, Project, serve, type Site } from '../test-browser/site.ts';

interface Options {
  readonly threads: number;
  readonly precision: Precision;
}

function runKit({ page }: Tab, options: Options): Promise<Report> {
  return page.evaluate((createOptions) => {
    const { backend, testkit } = globalThis.kit;
    return testkit.runConformance(backend.workers, {
      createOptions,
      precision: createOptions.precision,
      fixtures: `${location.origin}/fixtures/`,
    });
  }, options);
}

await describeInChromium('the conformance kit in every mode', (browser) => {
  let project: Project;
  let shared: Site;
  let plain: Site;
  beforeAll(async () => {
    project = await Project.create('kit');
    const folders = { '/': await project.vite(), '/fixtures/': fixturesFolder };
    shared = await serve(folders, ISOLATED);
    plain = await serve(folders);
  });
  afterAll(async () => {
    shared?.close();
    plain?.close();
    await project?.remove();
  });

  test.each<Options>([
    { threads: 1, precision: 'fast' },
    { threads: 1, precision: 'strict' },
    { threads: 2, precision: 'strict' },
    { threads: 4, precision: 'fast' },
    { threads: 4, precision: 'strict' },
  ])('passes with shared memory and %o', async (options) => {
    const tab = await browser.open(shared.origin);
    expect((await runKit(tab, options)).problems).toEqual([]);
    expect(tab.lines).toEqual([]);
  });

  test('the one worker of a page without isolation may be terminated', async () => {
    const { page } = await browser.open(plain.origin);
    const codes = await page.evaluate(async () => {
      const backend = await globalThis.kit.api.use('workers');
      const handle = backend.upload(
        { shape: [2 ** 22], dtype: 'float32' },
        new Float32Array(2 ** 22),
      );
      const outputs = Array.from({ length: 60 }, () => backend.run('exp', [handle], {})[0]!);
      const reads = [outputs.at(-1)!, outputs[0]!].map((output) => backend.read(output));
      globalThis.startedWorkers[0]!.terminate();
      const settled = await Promise.allSettled(reads);
      return settled.map((read) => read.status === 'rejected' && read.reason.code);
    });
    expect(codes).toEqual(['backend-lost', 'backend-lost']);
  });

  test.each<Precision>(['fast', 'strict'])(
    'passes without isolation, on one worker with private memory, which is said once: %s',
    async (precision) => {
      const tab = await browser.open(plain.origin);
      const listed = (): Promise<string> =>
        tab.page.evaluate(async () => (await globalThis.kit.api.list())[0]!.reason);
      expect(await listed()).toMatch(
        /^1 thread, .*private memory: this page is not cross-origin isolated/,
      );
      expect((await runKit(tab, { threads: 4, precision })).problems).toEqual([]);
      expect(tab.lines).toEqual([
        expect.stringMatching(/one worker with private memory, because this page is not/),
      ]);
      await tab.page.evaluate(() => globalThis.kit.api.use('workers'));
      expect(await listed()).toMatch(/^1 thread, .*private memory/);
    },
  );
});
