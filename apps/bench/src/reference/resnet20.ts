// The gradient of ResNet-20's mean cross-entropy over a batch in float64, derived by hand and written with plain loops. Maps are
// [N, C, S, S]; every layer gives its output and a function that takes the output's gradient to the input's.

import { elements } from '../networks/network.ts';
import { blocks, resnet20, type Block } from '../networks/resnet20.ts';

const EPSILON = 1e-5;
const { channels: COLOURS, imageSize, classes, parameters: shapes } = resnet20;

interface Layer {
  readonly y: Float64Array;
  back(g: Float64Array): Float64Array;
}

/** A 3 x 3 convolution with one zero around the map. */
interface Geometry {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly size: number;
  readonly stride: number;
}

type Visit = (weight: number, output: number, input: number, count: number) => void;

/** Visits the products of a convolution a row at a time: the weight's index, where the rows of output and input begin, how long. */
function eachRow({ batch, inChannels, outChannels, size, stride }: Geometry, visit: Visit): void {
  const outSize = size / stride;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outChannels; o++) {
      for (let c = 0; c < inChannels; c++) {
        for (let ky = 0; ky < 3; ky++) {
          for (let kx = 0; kx < 3; kx++) {
            const first = kx === 0 ? 1 : 0;
            const count = Math.min(outSize, Math.floor((size - kx) / stride) + 1) - first;
            for (let oy = 0; oy < outSize; oy++) {
              const iy = oy * stride + ky - 1;
              if (iy < 0 || iy >= size) continue;
              visit(
                ((o * inChannels + c) * 3 + ky) * 3 + kx,
                ((n * outChannels + o) * outSize + oy) * outSize + first,
                ((n * inChannels + c) * size + iy) * size + first * stride + kx - 1,
                count,
              );
            }
          }
        }
      }
    }
  }
}

function convolve(x: Float64Array, w: Float64Array, gw: Float64Array, geometry: Geometry): Layer {
  const { batch, outChannels, size, stride } = geometry;
  const y = new Float64Array(batch * outChannels * (size / stride) ** 2);
  eachRow(geometry, (weight, output, input, count) => {
    const factor = w[weight]!;
    for (let i = 0; i < count; i++) y[output + i]! += factor * x[input + i * stride]!;
  });
  return {
    y,
    back(g) {
      const gx = new Float64Array(x.length);
      eachRow(geometry, (weight, output, input, count) => {
        const factor = w[weight]!;
        let sum = 0;
        for (let i = 0; i < count; i++) {
          gx[input + i * stride]! += factor * g[output + i]!;
          sum += g[output + i]! * x[input + i * stride]!;
        }
        gw[weight]! += sum;
      });
      return gx;
    },
  };
}

interface Affine {
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

/** By the batch's own mean and biased variance. */
function normalize(x: Float64Array, p: Affine, gradient: Affine, batch: number): Layer {
  const channels = p.weight.length;
  const plane = x.length / batch / channels;
  const count = batch * plane;
  const eachOf = (c: number, visit: (i: number) => void): void => {
    for (let n = 0; n < batch; n++) {
      const start = (n * channels + c) * plane;
      for (let i = start; i < start + plane; i++) visit(i);
    }
  };
  const standard = new Float64Array(x.length);
  const y = new Float64Array(x.length);
  const scales = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    let mean = 0;
    eachOf(c, (i) => (mean += x[i]! / count));
    let variance = 0;
    eachOf(c, (i) => (variance += (x[i]! - mean) ** 2 / count));
    const scale = 1 / Math.sqrt(variance + EPSILON);
    scales[c] = scale;
    eachOf(c, (i) => {
      standard[i] = (x[i]! - mean) * scale;
      y[i] = standard[i]! * p.weight[c]! + p.bias[c]!;
    });
  }
  return {
    y,
    back(g) {
      const gx = new Float64Array(x.length);
      for (let c = 0; c < channels; c++) {
        let gBias = 0;
        let gWeight = 0;
        eachOf(c, (i) => {
          gBias += g[i]!;
          gWeight += g[i]! * standard[i]!;
        });
        gradient.bias[c]! += gBias;
        gradient.weight[c]! += gWeight;
        const factor = p.weight[c]! * scales[c]!;
        eachOf(c, (i) => (gx[i] = factor * (g[i]! - (gBias + standard[i]! * gWeight) / count)));
      }
      return gx;
    },
  };
}

function relu(x: Float64Array): Layer {
  return {
    y: x.map((value) => Math.max(0, value)),
    back: (g) => g.map((value, i) => (x[i]! > 0 ? value : 0)),
  };
}

/** Every second pixel, and zero channels before and after. */
function shrink(x: Float64Array, batch: number, { inChannels, outChannels }: Block): Layer {
  const outSize = Math.sqrt(x.length / batch / inChannels) / 2;
  const before = (outChannels - inChannels) / 2;
  const y = new Float64Array(batch * outChannels * outSize ** 2);
  const from = new Map<number, number>();
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < inChannels; c++) {
      for (let oy = 0; oy < outSize; oy++) {
        for (let ox = 0; ox < outSize; ox++) {
          const input = ((n * inChannels + c) * 2 * outSize + 2 * oy) * 2 * outSize + 2 * ox;
          from.set(((n * outChannels + before + c) * outSize + oy) * outSize + ox, input);
        }
      }
    }
  }
  for (const [output, input] of from) y[output] = x[input]!;
  return {
    y,
    back(g) {
      const gx = new Float64Array(x.length);
      for (const [output, input] of from) gx[input] = g[output]!;
      return gx;
    },
  };
}

const added = (a: Float64Array, b: Float64Array): Float64Array =>
  a.map((value, i) => value + b[i]!);

class Resnet20 {
  readonly gradients: Readonly<Record<string, Float64Array>> = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, new Float64Array(elements(shape))]),
  );
  readonly #parameters: ReadonlyMap<string, Float64Array>;
  readonly #batch: number;

  constructor(parameters: ReadonlyMap<string, Float32Array>, batch: number) {
    this.#parameters = new Map(
      Object.keys(shapes).map((name) => [name, Float64Array.from(parameters.get(name)!)]),
    );
    this.#batch = batch;
  }

  #at(name: string): Float64Array {
    return this.#parameters.get(name)!;
  }

  #convNorm(x: Float64Array, conv: string, norm: string, stride: number): Layer {
    const [outChannels, inChannels] = shapes[`${conv}.weight`]! as [number, number];
    const size = Math.sqrt(x.length / this.#batch / inChannels);
    const geometry = { batch: this.#batch, inChannels, outChannels, size, stride };
    const weight = `${conv}.weight`;
    const convolved = convolve(x, this.#at(weight), this.gradients[weight]!, geometry);
    const affine = { weight: this.#at(`${norm}.weight`), bias: this.#at(`${norm}.bias`) };
    const gradient = {
      weight: this.gradients[`${norm}.weight`]!,
      bias: this.gradients[`${norm}.bias`]!,
    };
    const { y, back } = normalize(convolved.y, affine, gradient, this.#batch);
    return { y, back: (g) => convolved.back(back(g)) };
  }

  #block(x: Float64Array, block: Block): Layer {
    const { name, stride } = block;
    const first = this.#convNorm(x, `${name}.conv1`, `${name}.bn1`, stride);
    const middle = relu(first.y);
    const second = this.#convNorm(middle.y, `${name}.conv2`, `${name}.bn2`, 1);
    const short = stride === 2 ? shrink(x, this.#batch, block) : { y: x, back: same };
    const last = relu(added(second.y, short.y));
    return {
      y: last.y,
      back(g) {
        const inner = last.back(g);
        return added(first.back(middle.back(second.back(inner))), short.back(inner));
      },
    };
  }

  /** Mean over each map, a linear layer, and the gradient of the mean cross-entropy with respect to the maps. */
  #head(x: Float64Array, labels: Float32Array): Float64Array {
    const features = shapes['fc.weight']![1]!;
    const plane = x.length / this.#batch / features;
    const [w, bias] = [this.#at('fc.weight'), this.#at('fc.bias')];
    const gx = new Float64Array(x.length);
    for (const [n, label] of labels.entries()) {
      if (label >= classes) throw new RangeError(`label ${label} of image ${n}`);
      const map = x.subarray(n * features * plane, (n + 1) * features * plane);
      const means = Array.from({ length: features }, (_, c) =>
        map.subarray(c * plane, (c + 1) * plane).reduce((sum, value) => sum + value / plane, 0),
      );
      const powers = Array.from(bias, (start, o) =>
        Math.exp(means.reduce((sum, value, c) => sum + value * w[o * features + c]!, start)),
      );
      const total = powers.reduce((a, b) => a + b, 0);
      for (const [o, power] of powers.entries()) {
        const g = (power / total - (o === label ? 1 : 0)) / this.#batch;
        this.gradients['fc.bias']![o]! += g;
        for (const [c, mean] of means.entries()) {
          this.gradients['fc.weight']![o * features + c]! += g * mean;
          const start = (n * features + c) * plane;
          for (let i = 0; i < plane; i++) gx[start + i]! += (g * w[o * features + c]!) / plane;
        }
      }
    }
    return gx;
  }

  run(images: Float32Array, labels: Float32Array): void {
    const stem = this.#convNorm(Float64Array.from(images), 'conv1', 'bn1', 1);
    const layers: Layer[] = [stem, relu(stem.y)];
    for (const block of blocks) layers.push(this.#block(layers.at(-1)!.y, block));
    let g = this.#head(layers.at(-1)!.y, labels);
    for (const layer of layers.toReversed()) g = layer.back(g);
  }
}

const same = (g: Float64Array): Float64Array => g;

/** Gradients of all parameters, one after another. `labels` are class numbers. */
export function resnet20Gradient(
  images: Float32Array,
  labels: Float32Array,
  parameters: ReadonlyMap<string, Float32Array>,
): Float64Array {
  const network = new Resnet20(parameters, images.length / (COLOURS * imageSize ** 2));
  network.run(images, labels);
  const all = Object.keys(shapes).flatMap((name) => Array.from(network.gradients[name]!));
  return Float64Array.from(all);
}
