// The page as a visitor uses it: served by the built command, in Chromium, by mouse and by keyboard.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { CHROMIUM_FLAGS, chromiumForTests } from '@convoke/backend-testkit/node';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { PageEvent, SessionResults } from '../src/web/session.ts';
import type { SwapStep } from '../src/web/swap.ts';

const command = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const executablePath = await chromiumForTests('the page of the benchmarks');

/** What a test asks for that shall be over soon. */
const QUICK = 'suite=kernels&only=softmax&backends=js&peers=&threads=1&precision=fast&runs=5';

/** WCAG's contrast of two colours, each [red, green, blue] of 0 to 255. */
function contrast(...colours: readonly [readonly number[], readonly number[]]): number {
  const [darker, lighter] = colours
    .map((channels) => {
      const [r, g, b] = channels.map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    })
    .toSorted((a, b) => a - b) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

describe.skipIf(executablePath === null)('the page of the benchmarks', () => {
  let server: ChildProcess;
  let address: string;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    server = spawn(process.execPath, [command, 'web', '--port', '0'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = (await once(server.stdout!, 'data')) as [Buffer];
    address = line.toString().trim();
    browser = await chromium.launch({ executablePath: executablePath!, args: [...CHROMIUM_FLAGS] });
  });
  afterEach(() => page.close());
  afterAll(async () => {
    await browser?.close();
    server.kill();
  });

  /** The page with its form filled. */
  async function open(search: string, options: Parameters<Browser['newPage']>[0] = {}) {
    page = await browser.newPage(options);
    await page.goto(`${address}?${search}`);
    await page.getByRole('checkbox', { name: /^tfjs-cpu/ }).waitFor();
    return page;
  }

  const status = () => page.locator('#status').textContent();

  test('takes its settings from the address and writes them back', async () => {
    await open('suite=training&only=lenet&backends=js&peers=&threads=2&precision=strict&runs=7');
    const value = (role: 'combobox' | 'searchbox' | 'spinbutton', name: string) =>
      page.getByRole(role, { name }).inputValue();
    expect(await value('combobox', 'Suite')).toBe('training');
    expect(await value('searchbox', 'Cases with')).toBe('lenet');
    expect(await value('spinbutton', 'Threads')).toBe('2');
    expect(await value('combobox', 'Precision')).toBe('strict');
    expect(await value('spinbutton', 'Samples')).toBe('7');
    expect(await page.getByRole('checkbox', { name: /^js/ }).isChecked()).toBe(true);
    expect(await page.getByRole('checkbox', { name: /^workers/ }).isChecked()).toBe(false);

    await page.getByLabel('Suite').selectOption('zoo');
    await page.getByRole('checkbox', { name: /^gpujs/ }).check();
    await page.getByLabel('Samples').fill('9');
    await page.getByLabel('Samples').blur();
    const parameters = new URL(page.url()).searchParams;
    expect(Object.fromEntries(parameters)).toEqual({
      suite: 'zoo',
      only: 'lenet',
      backends: 'gpujs,js',
      peers: '',
      threads: '2',
      precision: 'strict',
      runs: '9',
    });
  });

  test('measures by keyboard alone, shows ratios and correctness, and gives them as a file', async () => {
    await open(QUICK.replace('backends=js', 'backends=workers,js'));
    await page.getByLabel('Suite').focus();
    for (let presses = 0; presses < 20; presses++) {
      if (await page.evaluate(() => document.activeElement?.id === 'run')) break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await expect.poll(status, { timeout: 30_000 }).toMatch(/^Done/);
    const table = page.getByRole('table', { name: 'softmax' });
    const headings = await table.getByRole('columnheader').allTextContents();
    expect(headings).toEqual([
      'contender',
      'median',
      'against the fastest',
      'correctness',
      'range',
    ]);
    for (const name of ['workers', 'js']) {
      const row = table.getByRole('row', { name });
      expect(await row.textContent()).toMatch(
        /[\d.]+ ms(fastest|[\d.]+ × the time)error \d\.\de-\d/,
      );
    }
    expect(await table.getByText('fastest', { exact: true }).count()).toBe(1);

    const coming = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download JSON' }).click();
    const download = await coming;
    expect(download.suggestedFilename()).toMatch(/\.json$/);
    const results = JSON.parse(await readFile(await download.path(), 'utf8')) as SessionResults;
    expect(results.machine).toMatchObject({ isolated: true, cores: expect.any(Number) });
    expect(results.rows.map(({ contender }) => contender)).toEqual(['workers', 'js']);
    const [row] = results.rows;
    expect(row).toMatchObject({ suite: 'kernels', case: 'softmax' });
    expect(row!.maxRelError).toBeLessThan(1e-5);
    expect(row!.minMs).toBeLessThanOrEqual(row!.medianMs);
    expect(row!.medianMs).toBeLessThanOrEqual(row!.maxMs);
  });

  test('stops when it is told to, and can then measure again', async () => {
    await open('suite=kernels&only=gemm&backends=js&peers=&threads=1&runs=200');
    const run = page.getByRole('button', { name: 'Run' });
    const cancel = page.getByRole('button', { name: 'Cancel' });
    expect(await cancel.isDisabled()).toBe(true);
    await run.click();
    await expect.poll(status, { timeout: 30_000 }).toContain('gemm-512');
    expect(await run.isDisabled()).toBe(true);
    await cancel.click();
    await expect.poll(status, { timeout: 20_000 }).toMatch(/^Cancelled/);
    expect(await run.isEnabled()).toBe(true);
    expect(await page.getByRole('button', { name: 'Download JSON' }).isDisabled()).toBe(true);
  });

  test('times networks of the zoo', async () => {
    await open('suite=zoo&only=lenet5&backends=js&peers=&threads=1&runs=5&run=1');
    await expect.poll(status, { timeout: 30_000 }).toMatch(/^Done/);
    const row = page.getByRole('table', { name: 'lenet5' }).getByRole('row', { name: 'js' });
    expect(await row.textContent()).toMatch(/GFLOP\/s.*error \d\.\de-\d/);
  });

  test('says what is wrong with what was asked', async () => {
    await open('suite=kernels&only=nothing&backends=js&peers=&run=1');
    await expect
      .poll(status, { timeout: 10_000 })
      .toBe("no case of kernels has 'nothing' in its name");
  });

  test('fits a phone', async () => {
    const viewport = { width: 360, height: 740 };
    await open(`${QUICK}&run=1`, { viewport });
    await expect.poll(status, { timeout: 30_000 }).toMatch(/^Done/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(viewport.width);
    for (const control of await page.locator('button, select, input:not([type=checkbox])').all())
      expect((await control.boundingBox())!.height).toBeGreaterThanOrEqual(40);
  });

  test('can be read by day and by night', async () => {
    await open(QUICK);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const colours = await page.evaluate(() => {
        const probe = document.createElement('i');
        document.body.append(probe);
        const names = ['ground', 'raised', 'text', 'quiet', 'warn', 'ours'];
        return Object.fromEntries(
          names.map((name) => {
            probe.style.color = `var(--${name})`;
            return [name, getComputedStyle(probe).color.match(/\d+/g)!.map(Number)];
          }),
        );
      });
      const pairs = ['ground', 'raised'].flatMap((ground) =>
        ['text', 'quiet', 'warn'].map((text) => [ground, text] as const),
      );
      // The label of a button in our colour is as the ground.
      for (const [ground, text] of [...pairs, ['ours', 'ground'] as const])
        expect(
          contrast(colours[ground]!, colours[text]!),
          `${colorScheme}: ${text} on ${ground}`,
        ).toBeGreaterThan(4.5);
    }
  });

  /** The losses of a training that goes from js to these backends and back. */
  async function swap(backends: string, stepsEach: number): Promise<SwapStep[]> {
    await open(QUICK.replace('backends=js', `backends=${backends}`));
    const steps: SwapStep[] = [];
    await page.exposeFunction('benchEvent', (event: PageEvent) => {
      if (event.kind === 'step') steps.push(event.step);
    });
    await page.getByLabel('Steps on each').fill(String(stepsEach));
    await page.getByRole('button', { name: 'Train and swap' }).click();
    const told = () => page.locator('#swap-status').textContent();
    await expect.poll(told, { timeout: 90_000 }).toMatch(/steps on js → /);
    return steps;
  }

  test('a training that moves js → workers → gpujs → js loses as one that stays on js', async () => {
    const moved = await swap('workers,gpujs', 2);
    await page.close();
    const stayed = await swap('js', 4);
    expect(moved.map(({ backend }) => backend)).toEqual(
      ['js', 'workers', 'gpujs', 'js'].flatMap((name) => [name, name]),
    );
    expect(stayed.map(({ backend }) => backend)).toEqual(moved.map(() => 'js'));
    // Backends round differently, and Adam's first steps magnify what is near zero.
    for (const [i, { loss }] of moved.entries())
      expect(Math.abs(loss - stayed[i]!.loss)).toBeLessThan(1e-3);
  });
});
