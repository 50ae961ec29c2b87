// The conformance kit on a page that Vite built: in one run the whole of it, on threads that share memory.

import { afterAll, beforeAll, expect, test } from 'vitest';

import { describeInChromium } from './chromium.ts';
import { fixturesFolder, ISOLATED, Project, serve, type Site } from './site.ts';

await describeInChromium('the conformance kit, built by Vite', (browser) => {
  let project: Project;
  let site: Site;
  beforeAll(async () => {
    project = await Project.create('kit');
    site = await serve({ '/': await project.vite(), '/fixtures/': fixturesFolder }, ISOLATED);
  });
  afterAll(async () => {
    site?.close();
    await project?.remove();
  });

  test('passes on 2 threads with shared memory', async () => {
    const { page, lines } = await browser.open(site.origin);
    const report = await page.evaluate(async () => {
      const { backend, testkit } = globalThis.kit;
      return testkit.runConformance(backend.workers, {
        createOptions: { threads: 2, precision: 'fast' },
        precision: 'fast',
        fixtures: `${location.origin}/fixtures/`,
      });
    });
    expect(report.problems).toEqual([]);
    const passed = report.cases.filter(({ status }) => status === 'passed');
    expect(passed.length).toBeGreaterThan(500);
    expect(lines).toEqual([]);
  });
});
