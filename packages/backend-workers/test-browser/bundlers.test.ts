// Ways in which a page comes by the package: a webpack build, and an import map to another origin. (Vite: the other files.)

import { afterAll, beforeAll, expect, test } from 'vitest';

import { describeInChromium, type Tab } from './chromium.ts';
import { ISOLATED, packageFolders, Project, serve, type Site } from './site.ts';

/** `[mode, values]` of a small sum on two threads. */
async function compute({ page }: Tab): Promise<unknown> {
  return page.evaluate(async () => {
    const { api, core } = globalThis.convoke;
    const { mode } = await api.use('workers', { threads: 2 });
    const x = core.tensor([1, 2, 3, 4], { shape: [2, 2] });
    return [mode, Array.from(await core.matmul(x, x).data())];
  });
}

const expected = [expect.stringMatching(/^2 threads, .*shared memory/), [7, 10, 15, 22]];

await describeInChromium('the package in a page', (browser) => {
  const sites: Site[] = [];
  let project: Project;
  beforeAll(async () => {
    project = await Project.create();
  });
  afterAll(async () => {
    for (const site of sites) site.close();
    await project.remove();
  });

  test('works from a webpack build', async () => {
    const site = await serve({ '/': await project.webpack() }, ISOLATED);
    sites.push(site);
    const tab = await browser.open(site.origin);
    expect(await compute(tab)).toEqual(expected);
    expect(tab.lines).toEqual([]);
  });

  test('works from another origin by an import map, its workers from a Blob', async () => {
    const packages = await serve(packageFolders, {
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    const scripts = `script-src 'self' 'nonce-map' 'wasm-unsafe-eval' ${packages.origin}`;
    const site = await serve(
      { '/': await project.importMap(packages.origin) },
      { ...ISOLATED, 'content-security-policy': `${scripts}; worker-src blob: ${packages.origin}` },
    );
    sites.push(packages, site);
    const tab = await browser.open(site.origin);
    expect(await compute(tab)).toEqual(expected);
    expect(tab.lines).toEqual([]);
  });
});
