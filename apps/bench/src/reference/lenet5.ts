// The gradient of LeNet-5's mean cross-entropy over a batch in float64, derived by hand and written with plain loops.

import { lenet5 } from '../networks/lenet5.ts';
import { elements } from '../networks/network.ts';

const { classes: CLASSES, imageSize: IMAGE, parameters: shapes } = lenet5;

type Arrays = Record<string, Float64Array>;

const zeros = (length: number): Float64Array => new Float64Array(length);

interface Geometry {
  readonly channels: number;
  readonly filters: number;
  /** Height and width of the input, and zeros on each side of it. */
  readonly size: number;
  readonly padding: number;
}

const KERNEL = 5;
const conv1: Geometry = { channels: 1, filters: 6, size: IMAGE, padding: 2 };
const conv2: Geometry = { channels: 6, filters: 16, size: 14, padding: 0 };

/** Visits every product of a convolution with the flat indices of output, input and weight. */
function eachProduct(
  g: Geometry,
  visit: (output: number, input: number, weight: number) => void,
): void {
  const outputSize = g.size + 2 * g.padding - KERNEL + 1;
  for (let o = 0; o < g.filters; o++) {
    for (let oy = 0; oy < outputSize; oy++) {
      for (let ox = 0; ox < outputSize; ox++) {
        for (let c = 0; c < g.channels; c++) {
          for (let ky = 0; ky < KERNEL; ky++) {
            for (let kx = 0; kx < KERNEL; kx++) {
              const [iy, ix] = [oy + ky - g.padding, ox + kx - g.padding];
              if (iy < 0 || ix < 0 || iy >= g.size || ix >= g.size) continue;
              visit(
                (o * outputSize + oy) * outputSize + ox,
                (c * g.size + iy) * g.size + ix,
                ((o * g.channels + c) * KERNEL + ky) * KERNEL + kx,
              );
            }
          }
        }
      }
    }
  }
}

function convolve(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  g: Geometry,
): Float64Array {
  const plane = (g.size + 2 * g.padding - KERNEL + 1) ** 2;
  const y = zeros(g.filters * plane).map((_, i) => bias[Math.floor(i / plane)]!);
  eachProduct(g, (o, i, w) => (y[o]! += x[i]! * weight[w]!));
  return y;
}

/** Relu, then the largest of each 2 x 2 window; `from` tells which element it was, or -1 where relu gave 0. */
function reluPool(
  x: Float64Array,
  channels: number,
  size: number,
): { y: Float64Array; from: number[] } {
  const half = size / 2;
  const from: number[] = [];
  const y = zeros(channels * half * half);
  for (let i = 0; i < y.length; i++) {
    const [c, py, px] = [Math.floor(i / (half * half)), Math.floor(i / half) % half, i % half];
    const first = (c * size + 2 * py) * size + 2 * px;
    let best = first;
    for (const at of [first + 1, first + size, first + size + 1]) if (x[at]! > x[best]!) best = at;
    y[i] = Math.max(0, x[best]!);
    from.push(x[best]! > 0 ? best : -1);
  }
  return { y, from };
}

function linear(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  return bias.map((start, o) =>
    x.reduce((sum, value, i) => sum + value * weight[o * x.length + i]!, start),
  );
}

const relu = (x: Float64Array): Float64Array => x.map((value) => Math.max(0, value));

/** Adds the gradients of a linear layer's weight and bias, and gives that of its input. */
function linearBackward(
  g: Float64Array,
  x: Float64Array,
  name: string,
  p: Arrays,
  into: Arrays,
): Float64Array {
  const gx = zeros(x.length);
  for (const [o, go] of g.entries()) {
    into[`${name}.bias`]![o]! += go;
    for (let i = 0; i < x.length; i++) {
      into[`${name}.weight`]![o * x.length + i]! += go * x[i]!;
      gx[i]! += go * p[`${name}.weight`]![o * x.length + i]!;
    }
  }
  return gx;
}

function unpool(g: Float64Array, from: readonly number[], length: number): Float64Array {
  const gx = zeros(length);
  from.forEach((at, i) => at >= 0 && (gx[at]! += g[i]!));
  return gx;
}

function convBackward(
  g: Float64Array,
  x: Float64Array,
  name: string,
  geometry: Geometry,
  into: Arrays,
): void {
  const plane = g.length / geometry.filters;
  g.forEach((value, i) => (into[`${name}.bias`]![Math.floor(i / plane)]! += value));
  eachProduct(geometry, (o, i, w) => (into[`${name}.weight`]![w]! += g[o]! * x[i]!));
}

/** The gradient before relu, where `y` came out of it. */
function throughRelu(g: Float64Array, y: Float64Array): Float64Array {
  return g.map((value, i) => (y[i]! > 0 ? value : 0));
}

/** Adds one image's share of the gradient. */
function addGradient(
  image: Float64Array,
  label: number,
  batch: number,
  p: Arrays,
  into: Arrays,
): void {
  const a1 = convolve(image, p['conv1.weight']!, p['conv1.bias']!, conv1);
  const pool1 = reluPool(a1, 6, 28);
  const a2 = convolve(pool1.y, p['conv2.weight']!, p['conv2.bias']!, conv2);
  const pool2 = reluPool(a2, 16, 10);
  const h1 = relu(linear(pool2.y, p['fc1.weight']!, p['fc1.bias']!));
  const h2 = relu(linear(h1, p['fc2.weight']!, p['fc2.bias']!));
  const powers = linear(h2, p['fc3.weight']!, p['fc3.bias']!).map(Math.exp);
  const sum = powers.reduce((a, b) => a + b, 0);

  const g3 = powers.map((power, i) => (power / sum - (i === label ? 1 : 0)) / batch);
  const g2 = throughRelu(linearBackward(g3, h2, 'fc3', p, into), h2);
  const g1 = throughRelu(linearBackward(g2, h1, 'fc2', p, into), h1);
  const gPool2 = linearBackward(g1, pool2.y, 'fc1', p, into);
  const gA2 = unpool(gPool2, pool2.from, a2.length);
  convBackward(gA2, pool1.y, 'conv2', conv2, into);
  const gPool1 = zeros(pool1.y.length);
  eachProduct(conv2, (o, i, w) => (gPool1[i]! += gA2[o]! * p['conv2.weight']![w]!));
  convBackward(unpool(gPool1, pool1.from, a1.length), image, 'conv1', conv1, into);
}

/** Gradients of all parameters, one after another. `labels` are class numbers. */
export function lenet5Gradient(
  images: Float32Array,
  labels: Float32Array,
  parameters: ReadonlyMap<string, Float32Array>,
): Float64Array {
  const p: Arrays = {};
  const gradients: Arrays = {};
  for (const [name, shape] of Object.entries(shapes)) {
    p[name] = Float64Array.from(parameters.get(name)!);
    gradients[name] = zeros(elements(shape));
  }
  for (const [i, label] of labels.entries()) {
    if (label >= CLASSES) throw new RangeError(`label ${label} of image ${i}`);
    const image = Float64Array.from(images.subarray(i * IMAGE ** 2, (i + 1) * IMAGE ** 2));
    addGradient(image, label, labels.length, p, gradients);
  }
  return Float64Array.from(Object.keys(shapes).flatMap((name) => Array.from(gradients[name]!)));
}
