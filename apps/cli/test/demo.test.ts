// The demo, run as a user runs it: what it prints and leaves, determinism, resuming after a kill, and bad input.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { writeIdxFiles } from './idx-files.ts';
import { lastJson, program, run, start, type Outcome } from './program.ts';

interface Result {
  readonly backend: string;
  readonly dataset: string;
  readonly epochs: number;
  readonly trainAccuracy: number;
  readonly testAccuracy: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
  readonly weightsSha256: string;
}

let work: string;
let small: string;

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'convoke-demo-'));
  small = join(work, 'small');
  writeIdxFiles(small, { train: 320, test: 100 });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const quick = (...more: string[]): string[] => [
  'demo',
  '--dataset',
  'mnist',
  '--data',
  small,
  '--backend',
  'js',
  '--epochs',
  '4',
  '--json',
  ...more,
];

describe('a run', () => {
  test('prints one JSON object, and leaves weights of that hash and a report', async () => {
    const outcome = await run(quick('--out', 'first'), work);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(1);
    const result = lastJson<Result>(outcome);
    expect(result).toMatchObject({ backend: 'js', dataset: 'mnist', epochs: 4 });
    expect(result.imagesPerSecond).toBeGreaterThan(0);
    const weights = readFileSync(join(work, 'first/weights.safetensors'));
    expect(createHash('sha256').update(weights).digest('hex')).toBe(result.weightsSha256);
    const report = readFileSync(join(work, 'first/report.html'), 'utf8');
    expect(report).toContain('Confusion matrix');
    expect(report).not.toMatch(/(src|href)="http/);
  });

  test('gives equal weights for equal seeds and other weights for another', async () => {
    const hash = async (...more: string[]): Promise<string> =>
      lastJson<Result>(await run(quick('--out', 'same', ...more), work)).weightsSha256;
    const first = await hash();
    expect(await hash()).toBe(first);
    expect(await hash('--seed', '2')).not.toBe(first);
  });

  test('learns the images that come along: above 60 % on the test images after 2 epochs', async () => {
    const outcome = await run(['demo', '--epochs', '2', '--json', '--out', 'learns'], work);
    expect(lastJson<Result>(outcome)).toMatchObject({ dataset: 'fashion-mnist' });
    expect(lastJson<Result>(outcome).testAccuracy).toBeGreaterThan(0.6);
  });

  test('stays near chance where labels are shuffled', async () => {
    const shuffled = join(work, 'shuffled');
    // Every label moves by an amount that has nothing to do with its image.
    const relabel = (labels: Uint8Array): Uint8Array =>
      labels.map((label, i) => (label + ((i * 7919) % 10)) % 10);
    writeIdxFiles(shuffled, { train: 1000, test: 500, relabel });
    const args = ['demo', '--data', shuffled, '--epochs', '3', '--json', '--out', 'shuffled-out'];
    expect(lastJson<Result>(await run(args, work)).testAccuracy).toBeLessThan(0.3);
  });

  test('shows pictures, the confusion matrix and where everything is', async () => {
    const { stdout } = await run(
      ['demo', '--data', small, '--epochs', '1', '--out', 'shown'],
      work,
    );
    expect(stdout).toMatch(/right: |WRONG: /);
    expect(stdout).toContain('Confusion matrix');
    expect(stdout).toContain(join(work, 'shown/weights.safetensors'));
    expect(stdout).toMatch(/throughput +\d+ images\/s/);
  });
});

describe('resuming', () => {
  const checkpointed = (folder: string, ...more: string[]): string[] =>
    quick('--checkpoint', folder, '--checkpoint-every', '2', '--out', `${folder}-out`, ...more);

  test('after SIGKILL at random moments ends with the weights of an uninterrupted run', async () => {
    const whole = lastJson<Result>(await run(checkpointed('whole'), work)).weightsSha256;
    let kills = 0;
    let ended: Outcome | null = null;
    for (let attempt = 0; attempt < 40 && !ended; attempt++) {
      const { child, outcome } = start(checkpointed('killed', '--resume'), work);
      // Start-up takes a while; later attempts get longer, so that the run ends.
      const delay = 250 + Math.random() * 500 + attempt * 25;
      const timer = setTimeout(() => child.kill('SIGKILL'), delay);
      const last = await outcome;
      clearTimeout(timer);
      if (last.signal === 'SIGKILL') kills++;
      else ended = last;
    }
    expect(kills).toBeGreaterThan(0);
    expect(ended).toMatchObject({ status: 0 });
    expect(lastJson<Result>(ended!).weightsSha256).toBe(whole);
  });

  test('a finished run prints its result again', async () => {
    const first = lastJson<Result>(await run(checkpointed('finished'), work));
    const again = lastJson<Result>(await run(checkpointed('finished', '--resume'), work));
    expect(again).toEqual(first);
  });

  test('Ctrl-C saves, and the resumed run ends alike', async () => {
    const whole = lastJson<Result>(await run(checkpointed('calm'), work)).weightsSha256;
    const { child, outcome } = start(checkpointed('stopped'), work);
    child.stderr!.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('epoch 1/')) child.kill('SIGINT');
    });
    const stopped = await outcome;
    expect(stopped.status).toBe(130);
    expect(stopped.stderr).toContain('interrupted');
    expect(
      lastJson<Result>(await run(checkpointed('stopped', '--resume'), work)).weightsSha256,
    ).toBe(whole);
  });

  test('refuses a checkpoint of a run with another seed, and leaves it whole', async () => {
    await run(checkpointed('seeded'), work);
    const before = readFileSync(join(work, 'seeded/state.json'));
    const outcome = await run(checkpointed('seeded', '--resume', '--seed', '5'), work);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toMatch(/another run: seed was 1, is now 5/);
    expect(readFileSync(join(work, 'seeded/state.json'))).toEqual(before);
  });

  test('names the file where a checkpoint is damaged', async () => {
    await run(checkpointed('damaged'), work);
    writeFileSync(join(work, 'damaged/state.json'), '{"tensors": ');
    const outcome = await run(checkpointed('damaged', '--resume'), work);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain('state.json');
  });
});

const canFill = existsSync('/dev/full');
if (!canFill) console.warn('\n*** NOT TESTED: a full disk; this system has no /dev/full ***\n');

describe('output that cannot be written', () => {
  test('a reader that leaves early ends the run without a word, with the status that shells give for it', async () => {
    const { child, outcome } = start(['demo', '--data', small, '--backend', 'js'], work);
    child.stdout!.once('data', () => child.stdout!.destroy());
    expect(await outcome).toMatchObject({ status: 141, stderr: '' });
  });

  test.skipIf(!canFill)('a full disk is told in a line', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [program, '--help'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^convoke: cannot write to standard output: ENOSPC[^\n]*\n$/);
  });
});

describe('bad input', () => {
  const failing = async (
    args: readonly string[],
  ): Promise<{ status: number | null; stderr: string }> => {
    const { status, stderr } = await run(args, work);
    // A line for the user, no stack.
    expect(stderr).not.toContain('    at ');
    return { status, stderr };
  };

  test.each([
    [['demo', '--dataset', 'cifar'], /--dataset expects fashion-mnist or mnist, got 'cifar'/],
    [['demo', '--epochs', 'many'], /--epochs expects a whole number/],
    [['demo', '--epochs', '-1'], /^[^\n]*--epochs[^\n]*\n$/],
    [['demo', '--out='], /'--out' has an empty value/],
    [['demo', '--bogus'], /bogus/],
    [['demo', '--dataset', 'mnist'], /needs --data/],
    [['demo', '--resume'], /need --checkpoint/],
    [['trian'], /unknown command 'trian'/],
  ])('%j is a mistake in the command line', async (args, message) => {
    const { status, stderr } = await failing(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('an unknown backend is named with those there are', async () => {
    const { status, stderr } = await failing(['demo', '--backend', 'abacus']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/'abacus'.*'js'/);
  });

  test('missing, truncated and swapped files are named', async () => {
    const folder = join(work, 'bad');
    const told = async (): Promise<string> => (await failing(['demo', '--data', folder])).stderr;
    expect(await told()).toContain('train-images-idx3-ubyte');
    writeIdxFiles(folder, { train: 20, test: 20 });
    truncateSync(join(folder, 'train-images-idx3-ubyte'), 1000);
    expect(await told()).toMatch(/train-images-idx3-ubyte is cut off/);
    writeIdxFiles(folder, { train: 20, test: 20 });
    const images = readFileSync(join(folder, 'train-images-idx3-ubyte'));
    writeFileSync(
      join(folder, 'train-images-idx3-ubyte'),
      readFileSync(join(folder, 'train-labels-idx1-ubyte')),
    );
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), images);
    expect(await told()).toMatch(/swapped: .*train-images.*train-labels/);
  });

  test('images of another size than LeNet-5 takes are told with both sizes', async () => {
    const folder = join(work, 'wide');
    writeIdxFiles(folder, { train: 20, test: 20 });
    const path = join(folder, 'train-images-idx3-ubyte');
    const bytes = readFileSync(path);
    bytes.writeUInt32BE(14, 8);
    bytes.writeUInt32BE(56, 12);
    writeFileSync(path, bytes);
    const { status, stderr } = await failing(['demo', '--data', folder]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/wide are 14 x 56; LeNet-5 here takes 28 x 28/);
  });

  test('a folder that cannot be written is told before training', async () => {
    writeFileSync(join(work, 'file'), '');
    const { status, stderr } = await failing(['demo', '--data', small, '--out', 'file/below']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/cannot write in the folder .*below/);
    expect(existsSync(join(work, 'file/below'))).toBe(false);
  });
});
