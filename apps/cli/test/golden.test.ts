import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

import { chromiumForTests, loadFixtures } from '@convoke/backend-testkit/node';
import type { GoldenCase } from '@convoke/backend-testkit';
import { build, defaultClientConditions } from 'vite';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { golden } from '../src/commands/golden.ts';
import { runInBrowser } from '../src/golden/browser.ts';
import type { GoldenReport } from '../src/golden/report.ts';
import { run } from './program.ts';

const fixtures = await loadFixtures();
const folder = await mkdtemp(join(tmpdir(), 'convoke-golden-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let printed = '';
let complained = '';
beforeEach(() => {
  printed = '';
  complained = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(
    (text) => ((printed += text.toString()), true),
  );
  vi.spyOn(process.stderr, 'write').mockImplementation(
    (text) => ((complained += text.toString()), true),
  );
});
afterEach(() => vi.restoreAllMocks());

function pick(...starts: string[]): GoldenCase[] {
  return fixtures.filter(({ id }) => starts.some((start) => id.startsWith(start)));
}

/** A folder of golden files, named by `name`. */
async function folderOf(name: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  for (const [file, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(path, file), file.endsWith('.gz') ? gzipSync(text) : text);
  }
  return path;
}

async function reportOf(path: string): Promise<GoldenReport> {
  return JSON.parse(await readFile(path, 'utf8')) as GoldenReport;
}

describe('convoke golden', () => {
  it('runs every kind of fixture case, optimisers, schedules and clipping included', async () => {
    const dir = await folderOf('all', { 'everything.json.gz': { cases: fixtures } });
    const json = join(folder, 'all-report.json');
    const status = await golden.run(['--dir', dir, '--backend', 'js', '--json', json]);
    const { rows, ...head } = await reportOf(json);
    expect(rows.filter((row) => row.status !== 'pass')).toEqual([]);
    expect(rows.map(({ id }) => id)).toEqual(fixtures.map(({ id }) => id));
    expect(head).toMatchObject({ backend: 'js', threads: 1, precision: 'strict' });
    expect(head.place).toBe(`node ${process.versions.node}`);
    expect(status).toBe(0);
    expect(printed).toMatch(/^conv2d +96 +96 +0 +0 /m);
    expect(printed).toMatch(/^optimizer SGD +7 +7 /m);
    expect(printed).toContain(`${fixtures.length} passed, 0 failed, 0 skipped`);
  });

  it('tells a kind by content: renamed files and ids change nothing', async () => {
    const cases = pick('softmax/', 'adaptive_max_pool2d/', 'pad/').map((goldenCase, i) =>
      Object.assign(structuredClone(goldenCase), { id: `case ${i}` }),
    );
    const dir = await folderOf('conv2d', { 'conv2d.json': { cases } });
    expect(await golden.run(['--dir', dir, '--backend', 'js'])).toBe(0);
    expect(printed).toMatch(/^softmax +10 +10 /m);
    expect(printed).toMatch(/^adaptive_max_pool2d +4 +4 /m);
    expect(printed).not.toMatch(/^conv2d/m);
  });

  it('exits with 1 on a mismatch and shows the case, its error and its tolerance', async () => {
    const [goldenCase] = structuredClone(pick('linear/1'));
    (goldenCase!.outputs!['g_weight']!.data as number[])[2]! += 0.25;
    const dir = await folderOf('wrong', { 'a.json': { cases: [goldenCase, ...pick('linear/0')] } });
    const json = join(folder, 'wrong-report.json');
    expect(await golden.run(['--dir', dir, '--backend', 'js', '--json', json])).toBe(1);
    expect(printed).toMatch(/^FAIL linear\/1: g_weight is off \(error 2\.50e-1, tolerance /m);
    const [first, second] = (await reportOf(json)).rows;
    expect(first).toMatchObject({ id: 'linear/1', status: 'fail' });
    expect(first!.error).toBeCloseTo(0.25, 5);
    expect(first!.tolerance).toBeLessThan(1e-4);
    expect(second).toMatchObject({ id: 'linear/0', status: 'pass' });
  });

  it('skips loudly what it does not know, and passes if the rest agrees', async () => {
    const dir = await folderOf('mixed', {
      'a.json': { cases: [...pick('linear/0'), { id: 'w/0', attrs: { wavelet: 1 }, inputs: {} }] },
      'net.json.gz': { arch: 'lenet', state_dict: [], cases: [{}] },
      'notes.txt': 'not read',
    });
    expect(await golden.run(['--dir', dir, '--backend', 'js'])).toBe(0);
    expect(printed).toMatch(/^SKIP w\/0: no known kind .*wavelet/m);
    expect(printed).toMatch(/^SKIP lenet\/0: no known kind/m);
    expect(printed).toContain('1 passed, 0 failed, 2 skipped');
  });

  it('compares a network in every part of its file', async () => {
    const name = new URL(
      '../../../packages/zoo/test/fixtures/zoo/lenet5_modern.json.gz',
      import.meta.url,
    );
    const text = gunzipSync(await readFile(name)).toString();
    const dir = await folderOf('network', { 'a.json': text });
    const json = join(folder, 'network-report.json');
    expect(await golden.run(['--dir', dir, '--backend', 'js', '--json', json])).toBe(0);
    expect((await reportOf(json)).rows.map(({ id, status }) => [id, status])).toEqual([
      ['lenet5_modern/0', 'pass'],
      ['lenet5_modern/1', 'pass'],
      ['lenet5_modern/train', 'pass'],
    ]);
    const wrong = JSON.parse(text) as { train: { lr: number } };
    wrong.train.lr *= 1.01;
    const other = await folderOf('wrong-network', { 'a.json': wrong });
    expect(await golden.run(['--dir', other, '--backend', 'js'])).toBe(1);
    expect(printed).toMatch(/^FAIL lenet5_modern\/train: loss after \d steps? is off/m);
  });

  it('reads checkpoints and compares them with their manifest, ONNX left out', async () => {
    const dir = fileURLToPath(new URL('../../../packages/weights/test/fixtures/', import.meta.url));
    const json = join(folder, 'checkpoints-report.json');
    expect(await golden.run(['--dir', dir, '--backend', 'js', '--json', json])).toBe(0);
    const { rows } = await reportOf(json);
    expect(rows.map(({ id }) => id)).not.toContain('manifest.json');
    const passed = rows.filter(({ status }) => status === 'pass').map(({ id }) => id);
    expect(passed).toEqual(
      expect.arrayContaining(['tiny.pth', 'mixed.safetensors', 'whole_module.pth', 'half.npy']),
    );

    const copy = await folderOf('checkpoints', {});
    for (const name of ['manifest.json', 'tiny.pth', 'mixed.safetensors']) {
      await copyFile(join(dir, name), join(copy, name));
    }
    await writeFile(join(copy, 'tiny.onnx'), 'not read');
    const bytes = await readFile(join(copy, 'mixed.safetensors'));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(join(copy, 'mixed.safetensors'), bytes);
    expect(await golden.run(['--dir', copy, '--backend', 'js', '--json', json])).toBe(1);
    const statuses = (await reportOf(json)).rows.map(({ id, status }) => [id, status]);
    expect(statuses).toEqual([
      ['mixed.safetensors', 'fail'],
      ['tiny.onnx', 'skip'],
      ['tiny.pth', 'pass'],
    ]);
    expect(printed).toMatch(/^SKIP tiny\.onnx: ONNX/m);
    expect(await golden.run(['--dir', copy, '--backend', 'js', '--only', 'tiny*'])).toBe(0);
    expect(await golden.run(['--dir', copy, '--backend', 'js', '--only', 'nowhere'])).toBe(1);
    expect(complained).toContain("no case id matches --only 'nowhere'");
  });

  it('exits with 1 where nothing ran', async () => {
    const dir = await folderOf('nothing', { 'a.json': { cases: pick('linear/') } });
    expect(await golden.run(['--dir', dir, '--backend', 'js', '--only', 'nowhere'])).toBe(1);
    expect(complained).toContain("no case id matches --only 'nowhere'");
    const strange = await folderOf('strange', { 'a.json': [] });
    expect(await golden.run(['--dir', strange, '--backend', 'js'])).toBe(1);
    expect(complained).toContain('holds no case that could run');
  });

  it('selects ids by a part of them or by a pattern', async () => {
    const dir = await folderOf('select', {
      'a.json': { cases: pick('linear/', 'conv2d/1', 'pad/1') },
    });
    const ids = async (only: string): Promise<string[]> => {
      const json = join(folder, 'select-report.json');
      await golden.run(['--dir', dir, '--backend', 'js', '--only', only, '--json', json]);
      return (await reportOf(json)).rows.map(({ id }) => id);
    };
    expect(await ids('d/1')).toEqual(expect.arrayContaining(['conv2d/1', 'pad/1']));
    expect(await ids('*/1')).toEqual(expect.not.arrayContaining(['conv2d/10']));
    expect((await ids('*/1')).toSorted()).toEqual(['conv2d/1', 'linear/1', 'pad/1']);
    expect(await ids('pad/?')).toEqual(['pad/1']);
    expect(await ids('pad.1*')).toEqual([]);
  });

  it('says what the backend does not do, and reports what it did', async () => {
    const dir = await folderOf('options', { 'a.json': { cases: pick('linear/0') } });
    const json = join(folder, 'options-report.json');
    const options = ['--threads', '3', '--precision', 'fast', '--json', json];
    expect(await golden.run(['--dir', dir, '--backend', 'js', ...options])).toBe(0);
    expect(complained).toMatch(/--threads 3 is ignored: .*js/);
    expect(complained).toMatch(/--precision fast is ignored: .*js/);
    expect(await reportOf(json)).toMatchObject({ threads: 1, precision: 'strict' });
  });

  it('takes the best backend where none is named', async () => {
    const dir = await folderOf('best', { 'a.json': { cases: pick('linear/0') } });
    expect(await golden.run(['--dir', dir])).toBe(0);
    expect(complained).toBe('');
  });

  it('names the file that is damaged', async () => {
    const dir = await folderOf('damaged', { 'good.json': { cases: pick('linear/0') } });
    await writeFile(join(dir, 'bad.json.gz'), gzipSync('{"cases": []}').subarray(0, 15));
    await expect(golden.run(['--dir', dir, '--backend', 'js'])).rejects.toMatchObject({
      code: 'data',
      message: expect.stringContaining(join(dir, 'bad.json.gz')),
    });
  });

  it('refuses a folder that is not there or holds no files, with its sub-folders', async () => {
    const parent = await folderOf('parent', {});
    await mkdir(join(parent, 'ops'));
    await expect(golden.run(['--dir', parent])).rejects.toThrow(/sub-folders are ops/);
    await expect(golden.run(['--dir', join(parent, 'none')])).rejects.toThrow(
      /none: cannot be read/,
    );
  });

  it.each([
    [[], /--dir/],
    [['--dir', '.', '--precision', 'sloppy'], /strict or fast/],
    [['--dir', '.', '--threads', '0'], /--threads/],
    [['--dir', '.', '--verbose'], /verbose/],
  ])('refuses the command line %j', async (args, message) => {
    await expect(golden.run(args)).rejects.toThrow(message);
  });

  it('refuses an unknown backend and names the known ones', async () => {
    const dir = await folderOf('unknown', { 'a.json': { cases: pick('linear/0') } });
    await expect(golden.run(['--dir', dir, '--backend', 'abacus'])).rejects.toThrow(/abacus.*'js'/);
  });

  it('refuses a report that cannot be written before anything runs, and leaves nothing', async () => {
    const dir = await folderOf('report', { 'a.json': { cases: pick('linear/0') } });
    const missing = join(folder, 'no such folder', 'report.json');
    await expect(golden.run(['--dir', dir, '--json', missing])).rejects.toThrow(
      /cannot write .*unchanged/,
    );
    const occupied = join(dir, 'occupied');
    await mkdir(occupied);
    await expect(golden.run(['--dir', dir, '--json', occupied])).rejects.toThrow(
      /cannot write .*unchanged/,
    );
    expect((await readdir(dir)).toSorted()).toEqual(['a.json', 'occupied']);
    expect(printed).toBe('');
  });
});

describe.skipIf(!(await chromiumForTests('golden cases in a browser')))(
  'golden cases in Chromium',
  () => {
    it('give the rows that Node gives', async () => {
      const outDir = join(folder, 'page');
      await build({
        configFile: false,
        logLevel: 'silent',
        resolve: { conditions: ['@convoke/source', ...defaultClientConditions] },
        build: {
          outDir,
          // One file, as the command's own build makes it.
          rolldownOptions: { output: { codeSplitting: false } },
          lib: {
            entry: fileURLToPath(new URL('../src/browser/golden-page.ts', import.meta.url)),
            formats: ['es'],
            fileName: () => 'golden-page.js',
          },
        },
      });
      const cases = pick('conv2d/1', 'batch_norm/', 'optimizers/', 'schedules/', 'misc/');
      const page = pathToFileURL(join(outDir, 'golden-page.js'));
      const outcome = await runInBrowser(
        cases,
        { backend: 'js', precision: 'strict', threads: 2 },
        page,
      );
      expect(outcome.rows.map(({ id }) => id)).toEqual(cases.map(({ id }) => id));
      expect(outcome.rows.filter(({ status }) => status !== 'pass')).toEqual([]);
      expect(outcome).toMatchObject({ backend: 'js', threads: 1, precision: 'strict' });
      expect(outcome.mode).toMatch(/^plain JavaScript/);
      expect(outcome.place).toMatch(/^chromium \d/);
      expect(outcome.notes).toHaveLength(1);
    });

    it('pass on worker threads through the built command', async () => {
      const cases = pick('conv2d/1', 'batch_norm/', 'optimizers/');
      const dir = await folderOf('threads', { 'a.json': { cases } });
      const json = join(folder, 'threads-report.json');
      const options = ['--backend', 'workers', '--threads', '2', '--precision', 'fast'];
      const { status, stderr } = await run(
        ['golden', '--browser', '--dir', dir, '--json', json, ...options],
        folder,
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { rows, ...head } = await reportOf(json);
      expect(rows.map(({ id }) => id)).toEqual(cases.map(({ id }) => id));
      expect(rows.filter((row) => row.status !== 'pass')).toEqual([]);
      expect(head).toMatchObject({
        backend: 'workers',
        threads: 2,
        precision: 'fast',
        mode: expect.stringMatching(/^2 threads, .*shared memory/),
        place: expect.stringMatching(/^chromium \d/),
      });
    });

    it('pass on WebGL 2 through the built command', async () => {
      const cases = pick('conv2d/1', 'batch_norm/', 'max_pool2d/1', 'optimizers/', 'schedules/1');
      const dir = await folderOf('webgl2', { 'a.json': { cases } });
      const json = join(folder, 'webgl2-report.json');
      const { status, stderr } = await run(
        ['golden', '--browser', '--dir', dir, '--json', json, '--backend', 'gpujs'],
        folder,
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { rows, ...head } = await reportOf(json);
      expect(rows.map(({ id }) => id)).toEqual(cases.map(({ id }) => id));
      expect(rows.filter((row) => row.status !== 'pass')).toEqual([]);
      expect(head).toMatchObject({ backend: 'gpujs', mode: 'webgl2' });
    });

    it('report what goes wrong on the page', async () => {
      const page = join(folder, 'broken-page.js');
      await writeFile(
        page,
        "globalThis.goldenOutcome = Promise.resolve({ error: 'no such backend' });",
      );
      const failing = runInBrowser([], { precision: 'strict' }, pathToFileURL(page));
      await expect(failing).rejects.toThrow(/in Chromium: no such backend/);
      await writeFile(page, 'throw new Error("at once")');
      const silent = runInBrowser([], { precision: 'strict' }, pathToFileURL(page));
      await expect(silent).rejects.toThrow(/did not start/);
      expect(complained).toContain('at once');
    });
  },
);

describe('the built page', () => {
  it('is named where it is not there', async () => {
    vi.stubEnv('CHROMIUM_PATH', process.execPath);
    const missing = runInBrowser([], { precision: 'strict' }, new URL('file:///nowhere/page.js'));
    await expect(missing).rejects.toThrow(/page\.js cannot be read .*npm run build/);
    vi.unstubAllEnvs();
  });
});
