import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';

import { chromiumForTests, findChromium } from '../src/node.ts';

const folder = await mkdtemp(join(tmpdir(), 'convoke-chromium-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('finding Chromium', () => {
  test('takes CHROMIUM_PATH, and does not pass over a wrong one', async () => {
    expect(await findChromium({ CHROMIUM_PATH: process.execPath })).toBe(process.execPath);
    await expect(findChromium({ CHROMIUM_PATH: '/nowhere/chromium' })).rejects.toThrow(
      /CHROMIUM_PATH is '\/nowhere\/chromium'/,
    );
  });

  test('looks in PATH, and says how to get it where it is in no folder', async () => {
    await expect(findChromium({ PATH: folder }, [])).rejects.toThrow(/apt-get install chromium/);
    const found = join(folder, 'chromium-browser');
    await writeFile(found, '', { mode: 0o755 });
    expect(await findChromium({ PATH: folder }, [])).toBe(found);
  });
});

describe('tests that need Chromium', () => {
  test('are skipped with a banner where it is absent', async () => {
    vi.stubEnv('CI', '');
    vi.stubEnv('CONVOKE_REQUIRE_BROWSER', '');
    vi.stubEnv('CHROMIUM_PATH', '/nowhere/chromium');
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    expect(await chromiumForTests('drawing')).toBeNull();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/=\nSKIPPED: drawing\. CHROMIUM_PATH is '\/nowhere\/chromium'.*\n=/)],
    ]);
  });

  test.each(['CI', 'CONVOKE_REQUIRE_BROWSER'])('fail where %s is set', async (name) => {
    vi.stubEnv('CI', '');
    vi.stubEnv(name, '1');
    vi.stubEnv('CHROMIUM_PATH', '/nowhere/chromium');
    await expect(chromiumForTests('drawing')).rejects.toThrow(/CHROMIUM_PATH/);
  });
});
