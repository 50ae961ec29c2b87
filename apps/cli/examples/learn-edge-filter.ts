// Learns an edge filter: nine unknown weights are moved by gradient descent until their answers to made-up pictures are those
// of Sobel's kernel. Convolutional networks learn all their filters so.
//
//   node learn-edge-filter.ts [STEPS]
//
// Needs Node >= 22.18, @convoke/backend-api, @convoke/backend-js, @convoke/core and @convoke/image.

import { js } from '@convoke/backend-js';
import {
  conv2d,
  Generator,
  mseLoss,
  mul,
  register,
  scope,
  sub,
  tensor,
  use,
  valueAndGrad,
} from '@convoke/core';
import { filterPlanes, fromPlanes, toBatch, toPlanes, type Image } from '@convoke/image';

const steps = Number(process.argv[2] ?? 60);
const learningRate = 0.5;

register(js);
await use('js');
const random = new Generator(1);

/** Grey noise, which has edges of every direction and strength. */
async function picture(): Promise<Image> {
  const data = (await random.uniform([32 * 32]).data()) as Float32Array;
  return fromPlanes({ data, channels: 1, height: 32, width: 32 });
}

const pictures = [await picture(), await picture(), await picture(), await picture()];
const signed = { scale: 1 / 127.5, mean: [1] };
const batch = toBatch(pictures, signed);
const inputs = tensor(batch.data, { shape: batch.shape });
// The teacher: the textbook's kernel on the same pictures.
const answers = pictures.flatMap((image) =>
  Array.from(filterPlanes(toPlanes(image, signed), { kernel: 'sobelX' }).data),
);
const targets = tensor(answers, { shape: [pictures.length, 1, 30, 30] });

const lossAndGrad = valueAndGrad((kernel) => mseLoss(conv2d(inputs, kernel), targets));
let kernel = random.normal([1, 1, 3, 3], { std: 0.1 });
for (let step = 0; step <= steps; step++) {
  const { next, loss } = scope(() => {
    const { value, grads } = lossAndGrad(kernel);
    return { next: sub(kernel, mul(grads[0]!, learningRate)), loss: value };
  });
  if (step % 10 === 0) console.log(`step ${step}: loss ${(await loss.item()).toExponential(2)}`);
  loss.dispose();
  kernel.dispose();
  kernel = next;
}

console.log('learned, to compare with 1 0 -1, 2 0 -2, 1 0 -1:');
const weights = Array.from(await kernel.data(), (weight) => weight.toFixed(3).padStart(7));
for (let row = 0; row < 3; row++) console.log(weights.slice(3 * row, 3 * row + 3).join(' '));
