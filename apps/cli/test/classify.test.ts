// `convoke classify`, run as a user runs it: real networks on photos where they are there, made-up weights elsewhere.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createMeta } from '@convoke/core';
import { serializeSafetensors, type StoredTensor } from '@convoke/weights';
import { createModel } from '@convoke/zoo';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ProgressLine } from '../src/progress.ts';
import { run } from './program.ts';

interface Line {
  readonly image: string;
  readonly model: string;
  readonly backend: string;
  readonly ms: number;
  readonly top: readonly { index: number; label: string; probability: number }[];
}

const linesOf = (stdout: string): Line[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

let work: string;
let server: Server;
let origin: string;
const files = new Map<string, Uint8Array>();
const requests: string[] = [];

/**
 * Half-precision weights that are all zero but for the bias of one class, 5: whatever the picture, that class has the probability
 * e^5 / (e^5 + the number of the others).
 */
async function biased(model: string, index: number): Promise<Uint8Array> {
  const network = await createModel(model, { backend: createMeta() });
  const tensors = new Map<string, StoredTensor>();
  const last = [...network.stateDict().keys()].at(-1)!;
  for (const [name, { shape }] of network.stateDict()) {
    const data = new Uint16Array(shape.reduce((a, b) => a * b, 1));
    // 5 in half precision: 1.25 * 2^2.
    if (name === last) data[index] = 0x4500;
    tensors.set(name, { dtype: 'float16', shape, data });
  }
  return serializeSafetensors(tensors);
}

const probabilityOf = (classes: number): number => Math.exp(5) / (Math.exp(5) + classes - 1);

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'convoke-classify-'));
  writeFileSync(join(work, 'lenet.safetensors'), await biased('lenet5_modern', 3));
  const pixels = new Uint8Array(40 * 30 * 3).fill(90);
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    writeFileSync(
      join(work, `${name}.ppm`),
      Buffer.concat([Buffer.from('P6 40 30 255\n'), pixels]),
    );
  writeFileSync(join(work, 'cut.ppm'), Buffer.from('P6 40 30 255\nabc'));
  server = createServer((request, response) => {
    requests.push(request.url!);
    const body = files.get(request.url!);
    if (body) response.writeHead(200, { 'content-length': body.length }).end(body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(work, { recursive: true, force: true });
});

const ownFile = ['--model', 'lenet5', '--weights', 'lenet.safetensors', '--backend', 'js'];
const lenet = [...ownFile, '--pretrained', 'convoke_mnist'];

describe('photos', () => {
  const shared = resolve(
    process.env['CONVOKE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url)),
  );
  const there = existsSync(join(shared, 'models'));
  if (!there) console.warn(`\n*** NOT TESTED: ${shared} has no models; set CONVOKE_SHARED ***\n`);
  const photos = ['chelsea.png', 'coffee.png'].map((name) => join(shared, 'data/photos', name));

  test.skipIf(!there).each([
    ['squeezenet1_1', 'squeezenet1_1.fp16.safetensors', 'js'],
    ['squeezenet1_1', 'squeezenet1_1.fp16.safetensors', 'workers'],
    ['mobilenet_v1_0.75_224', 'mobilenet_v1_0.75_224.keras.safetensors', 'js'],
    ['mobilenet_v1_0.75_224', 'mobilenet_v1_0.75_224.keras.safetensors', 'workers'],
  ])('%s by %s on %s knows an Egyptian cat and an espresso', async (model, file, backend) => {
    const weights = join(shared, 'models', file);
    const args = ['--model', model, '--weights', weights, '--backend', backend, '--json'];
    const { status, stdout, stderr } = await run(['classify', ...photos, ...args], work);
    expect(status).toBe(0);
    expect(stderr).toMatch(/pictures prepared by .*, as for weights '/);
    const [cat, coffee] = linesOf(stdout);
    expect(cat).toMatchObject({ image: photos[0], model, backend });
    expect(cat!.ms).toBeGreaterThan(0);
    expect(cat!.top).toHaveLength(5);
    expect(cat!.top[0]).toMatchObject({ index: 285, label: 'Egyptian cat' });
    expect(coffee!.top[0]).toMatchObject({ index: 967, label: 'espresso' });
  });
});

describe('many pictures', () => {
  test('are told in their order, in batches, with plain lines of progress in a pipe', async () => {
    const pictures = ['a.ppm', 'b.ppm', 'c.ppm', 'd.ppm', 'e.ppm'];
    const args = [...lenet, '--batch', '2', '--top', '2', '--json'];
    const { status, stdout, stderr } = await run(['classify', ...pictures, ...args], work);
    expect(status).toBe(0);
    const lines = linesOf(stdout);
    expect(lines.map(({ image }) => image)).toEqual(pictures);
    for (const { top } of lines) {
      expect(top.map(({ index }) => index)).toEqual([3, 0]);
      expect(top[0]!.label).toBe('3');
      expect(top[0]!.probability).toBeCloseTo(probabilityOf(10), 5);
    }
    expect(stderr).toMatch(/^pictures 5\/5$/m);
    expect(stderr).not.toContain('\u001B');
  });

  test('that are damaged or missing are named, and the others classified', async () => {
    const pictures = ['a.ppm', 'cut.ppm', 'none.png', 'b.ppm'];
    const args = [...lenet, '--json'];
    const { status, stdout, stderr } = await run(['classify', ...pictures, ...args], work);
    expect(status).toBe(1);
    expect(linesOf(stdout).map(({ image }) => image)).toEqual(['a.ppm', 'b.ppm']);
    expect(stderr).toMatch(/^convoke classify: cut\.ppm: /m);
    expect(stderr).toMatch(/^convoke classify: none\.png: cannot be read/m);
    expect(stderr).not.toContain('    at ');
  });

  test('are told for people with the preprocessing and the time', async () => {
    const { status, stdout } = await run(['classify', 'a.ppm', ...lenet], work);
    expect(status).toBe(0);
    expect(stdout).toMatch(/prepared by .*"width":28,"height":28/);
    expect(stdout).toMatch(/^a\.ppm \(\d+\.\d ms\)$/m);
    const percent = (100 * probabilityOf(10)).toFixed(1);
    expect(stdout).toContain(`\n   ${percent} %  3\n`);
  });

  test('of a network that nothing is published of are prepared by a guess, which is said', async () => {
    writeFileSync(join(work, 'lenet1.safetensors'), await biased('lenet1', 3));
    const args = ['--model', 'lenet1', '--weights', 'lenet1.safetensors', '--backend', 'js'];
    const { status, stdout } = await run(['classify', 'a.ppm', ...args], work);
    expect(status).toBe(0);
    expect(stdout).toMatch(/which is a guess/);
    expect(stdout).toMatch(/ %  class 3$/m);
  });
});

describe('published weights', () => {
  const path = '/timm/resnet18.a1_in1k/resolve/main/model.safetensors';
  const swsl = '/timm/resnet18.fb_swsl_ig1b_ft_in1k/resolve/main/model.safetensors';
  const environment = (): Record<string, string> => ({
    HF_ENDPOINT: origin,
    CONVOKE_CACHE: join(work, 'cache'),
    CONVOKE_OFFLINE: '',
    HF_HUB_OFFLINE: '',
    NO_PROXY: '127.0.0.1',
  });
  beforeAll(async () => {
    const bytes = await biased('resnet18', 285);
    files.set(path, bytes);
    files.set(swsl, bytes);
  });

  test('are downloaded once, with progress, and the hash that is recorded is told', async () => {
    const args = ['classify', 'a.ppm', '--model', 'resnet18', '--pretrained', 'timm_a1_in1k'];
    const first = await run([...args, '--json'], work, environment());
    expect(first).toMatchObject({ status: 0 });
    const [line] = linesOf(first.stdout);
    expect(line!.top[0]).toMatchObject({ index: 285, label: 'Egyptian cat' });
    expect(line!.top[0]!.probability).toBeCloseTo(probabilityOf(1000), 4);
    expect(first.stderr).toMatch(/downloading model\.safetensors 23\.4\/23\.4 MB/);
    expect(first.stderr).toMatch(/its sha256 [0-9a-f]{64} is recorded/);
    const before = requests.length;
    const again = await run([...args, '--json'], work, environment());
    expect(again).toMatchObject({ status: 0 });
    expect(again.stderr).not.toContain('recorded');
    expect(requests.length).toBe(before);
  });

  test('under a licence that is not for commerce are not fetched before it is accepted', async () => {
    const before = requests.length;
    const args = ['classify', 'a.ppm', '--model', 'resnet18'];
    const tag = ['--pretrained', 'timm_fb_swsl_ig1b_ft_in1k'];
    const refused = await run([...args, ...tag], work, environment());
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/CC-BY-NC-4\.0.*--accept-license/);
    expect(requests.length).toBe(before);
    const accepted = await run([...args, ...tag, '--accept-license'], work, environment());
    expect(accepted).toMatchObject({ status: 0 });
  });
});

describe('bad input', () => {
  test.each([
    [['a.ppm', '--weights', 'lenet.safetensors'], 2, /--model NAME is missing/],
    [['a.ppm', '--model', 'lenet5'], 2, /--weights FILE or --pretrained TAG is missing/],
    [[...lenet], 2, /no picture is given/],
    [['a.ppm', '--model=', '--weights', 'lenet.safetensors'], 2, /'--model' has an empty value/],
    [['a.ppm', ...lenet, '--top', '-1'], 2, /^[^\n]*--top[^\n]*\n$/],
    [['a.ppm', ...lenet, '--top', '0'], 2, /--top expects a whole number from 1/],
    [['a.ppm', ...lenet, '--batch', 'x'], 2, /--batch expects a whole number/],
    [['a.ppm', ...lenet, '--bogus'], 2, /bogus.*--help/],
    [['a.ppm', ...ownFile], 2, /--pretrained 'convoke_mnist' or 'convoke_fashion_mnist'/],
    [['a.ppm', '--model', 'lenet7', '--weights', 'x'], 1, /'lenet7'; near it are/],
    [['a.ppm', '--model', 'lenet1', '--weights', 'none.pth'], 1, /none\.pth/],
    [['a.ppm', '--model', 'vgg11', '--weights', 'lenet.safetensors'], 1, /does not fit the model/],
    [['a.ppm', '--model', 'resnet18', '--pretrained', 'v9'], 1, /no weights 'v9'.*'timm_a1_in1k'/],
  ])('%j', async (args, expected, message) => {
    const { status, stdout, stderr } = await run(['classify', ...args], work);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
    expect([status, stdout]).toEqual([expected, '']);
  });

  test('--help tells every option', async () => {
    const { status, stdout } = await run(['classify', '--help'], work);
    expect(status).toBe(0);
    for (const option of [
      'model',
      'weights',
      'pretrained',
      'accept-license',
      'batch',
      'top',
      'json',
    ])
      expect(stdout).toContain(`--${option}`);
  });
});

describe('ProgressLine', () => {
  const written = (isTTY: boolean): string => {
    let text = '';
    const line = new ProgressLine({ isTTY, columns: 60, write: (part: string) => (text += part) });
    for (let done = 1; done <= 4; done++)
      line.update({ label: 'pictures', done, total: 4, text: `${done}/4` });
    line.clear();
    return text;
  };

  test('redraws a bar in a terminal and leaves nothing behind', () => {
    const drawn = written(true).split('\r\u001B[K');
    expect(drawn.at(1)).toMatch(/^pictures \[=+ +\] 1\/4$/);
    expect(drawn.at(-2)).toMatch(/^pictures \[=+\] 4\/4$/);
    expect(drawn.at(-1)).toBe('');
  });

  test('writes the first and the last of quick steps as lines elsewhere', () => {
    expect(written(false)).toBe('pictures 1/4\npictures 4/4\n');
  });
});
