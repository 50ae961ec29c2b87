// Trains the LeNet-5 whose weights this package ships, and writes them:
//
//   npm run recipe:lenet5 -- mnist FOLDER
//   npm run recipe:lenet5 -- fashion-mnist FOLDER
//
// FOLDER holds the complete data set, {train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not. Equal seeds give equal weights
// on one build and one kind of machine: the workers backend gives the same bits for any number of threads, but multiplies and adds
// in one rounding only where the processor can.

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';

import { threefry2x32 } from '@convoke/backend-api';
import { workers } from '@convoke/backend-workers';
import { Generator, register, use } from '@convoke/core';
import { batches, normalize } from '@convoke/data';
import { loadIdxDataset } from '@convoke/data/node';
import { Adam, oneCycle, progress, Trainer } from '@convoke/nn';
import { serializeSafetensors } from '@convoke/weights';

import { createModel } from '../src/index.ts';

interface Recipe {
  readonly epochs: number;
  /** Of the training images' values in [0, 1]. */
  readonly mean: number;
  readonly std: number;
  /** Every training image is shifted by up to so many pixels each way and turned by up to so many degrees, at random. */
  readonly shift: number;
  readonly degrees: number;
  /** Half of the training images are mirrored. */
  readonly mirror: boolean;
}

const recipes: Readonly<Record<string, Recipe>> = {
  mnist: { epochs: 15, mean: 0.1307, std: 0.3081, shift: 2, degrees: 10, mirror: false },
  'fashion-mnist': { epochs: 30, mean: 0.286, std: 0.353, shift: 1, degrees: 5, mirror: true },
};
const SEED = 1;
const BATCH_SIZE = 128;
const MAX_LEARNING_RATE = 4e-3;
const SIDE = 28;

/** The picture moved: each pixel by bilinear interpolation where it comes from, 0 outside. */
function moved(
  image: Float32Array,
  { angle, dx, dy, mirrored }: { angle: number; dx: number; dy: number; mirrored: boolean },
): Float32Array {
  const at = (y: number, x: number): number =>
    y < 0 || x < 0 || y >= SIDE || x >= SIDE ? 0 : image[y * SIDE + x]!;
  const centre = (SIDE - 1) / 2;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const column = i % SIDE;
    const right = (mirrored ? SIDE - 1 - column : column) - centre - dx;
    const down = Math.floor(i / SIDE) - centre - dy;
    const [x, y] = [cos * right + sin * down + centre, cos * down - sin * right + centre];
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [x - left, y - top];
    const above = (1 - u) * at(top, left) + u * at(top, left + 1);
    const below = (1 - u) * at(top + 1, left) + u * at(top + 1, left + 1);
    return (1 - v) * above + v * below;
  });
}

/** Fifteen bits as a number in [-1, 1). */
const signed = (bits: number): number => ((bits & 0x7fff) / 0x8000) * 2 - 1;

/** Changes a training image at random, as a function of its place and the epoch alone, and normalises it. */
function augment({ mean, std, shift, degrees, mirror }: Recipe) {
  return (input: Float32Array, { index, epoch }: { index: number; epoch: number }): void => {
    const [first, second] = threefry2x32(SEED, 1, index, epoch);
    const image = moved(input, {
      angle: signed(first) * degrees * (Math.PI / 180),
      dx: signed(first >>> 16) * shift,
      dy: signed(second) * shift,
      mirrored: mirror && second >>> 31 === 1,
    });
    for (let i = 0; i < input.length; i++) input[i] = (image[i]! - mean) / std;
  };
}

const [name = '', folder] = process.argv.slice(2);
const recipe = recipes[name];
if (!recipe || folder === undefined) {
  console.error(`usage: npm run recipe:lenet5 -- ${Object.keys(recipes).join('|')} FOLDER`);
  process.exit(2);
}

register(workers);
await use('workers', { precision: 'strict' });
const [train, test] = await Promise.all([
  loadIdxDataset(folder, 'train'),
  loadIdxDataset(folder, 't10k'),
]);
const model = await createModel('lenet5_modern', { generator: new Generator(SEED) });
const source = batches(train, {
  batchSize: BATCH_SIZE,
  shuffle: true,
  seed: SEED,
  dropLast: true,
  transform: augment(recipe),
});
const trainer = new Trainer({
  model,
  optimizer: new Adam(model.namedParameters(), { lr: MAX_LEARNING_RATE }),
  schedule: oneCycle({
    maxLr: MAX_LEARNING_RATE,
    totalSteps: recipe.epochs * source.batchesPerEpoch,
  }),
});
await trainer.fit(source, { epochs: recipe.epochs, callbacks: [progress(process.stderr)] });

// What is shipped is what is measured: 16 bits a weight.
const halves = await Promise.all(
  [...model.stateDict()].map(async ([key, slot]) => {
    const data = Float16Array.from((await slot.data()) as Float32Array);
    return [key, slot.shape, data] as const;
  }),
);
model.loadStateDict(
  new Map(
    halves.map(([key, shape, data]) => [
      key,
      { dtype: 'float32', shape, data: Float32Array.from(data) },
    ]),
  ),
);
const statistics = { mean: recipe.mean, std: recipe.std };
const { accuracy } = await trainer.evaluate(
  batches(normalize(test, statistics), { batchSize: 500 }),
);
const bytes = serializeSafetensors(
  new Map(
    halves.map(([key, shape, data]) => [
      key,
      { dtype: 'float16', shape, data: new Uint16Array(data.buffer) },
    ]),
  ),
  { architecture: 'lenet5_modern', dataset: name },
);
const target = new URL(`../src/weights/generated/lenet5-${name}.ts`, import.meta.url);
await writeFile(
  target,
  `// Generated by recipes/lenet5.ts; do not edit. A safetensors file.\nexport const base64: string =\n  '${Buffer.from(bytes).toString('base64')}';\n`,
);
console.log(`weightsSha256  ${createHash('sha256').update(bytes).digest('hex')}`);
console.log(`test accuracy  ${((accuracy ?? 0) * 100).toFixed(2)} % of ${test.size} images`);
