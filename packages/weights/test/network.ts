// The network of the TensorFlow.js fixtures with PyTorch's names and layouts, computed the plain way.

import type { HostTensor } from '../src/index.ts';

type Weights = ReadonlyMap<string, HostTensor>;

export const smallNetwork: readonly (readonly [string, readonly number[]])[] = [
  ['stem.weight', [4, 2, 3, 3]],
  ['stem.bias', [4]],
  ['stem_bn.weight', [4]],
  ['stem_bn.bias', [4]],
  ['stem_bn.running_mean', [4]],
  ['stem_bn.running_var', [4]],
  ['stem_bn.num_batches_tracked', []],
  ['dw.weight', [8, 1, 3, 3]],
  ['fc.weight', [5, 96]],
  ['fc.bias', [5]],
];

interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float64Array;
}

function convolve(x: Planes, weight: HostTensor, padding: number, groups: number): Planes {
  const [out, , size] = weight.shape as [number, number, number];
  const height = x.height + 2 * padding - size + 1;
  const width = x.width + 2 * padding - size + 1;
  const perGroup = x.channels / groups;
  const data = new Float64Array(out * height * width);
  for (let o = 0; o < out; o++) {
    const first = Math.floor(o / (out / groups)) * perGroup;
    for (let i = 0; i < perGroup; i++) {
      for (let y = 0; y < height; y++) {
        for (let z = 0; z < width; z++) {
          for (let k = 0; k < size * size; k++) {
            const row = y - padding + Math.floor(k / size);
            const column = z - padding + (k % size);
            if (row < 0 || column < 0 || row >= x.height || column >= x.width) continue;
            const value = x.data[((first + i) * x.height + row) * x.width + column]!;
            data[(o * height + y) * width + z]! +=
              value * weight.data[(o * perGroup + i) * size * size + k]!;
          }
        }
      }
    }
  }
  return { channels: out, height, width, data };
}

function eachChannel(x: Planes, f: (value: number, channel: number) => number): Planes {
  const area = x.height * x.width;
  return { ...x, data: x.data.map((value, i) => f(value, Math.floor(i / area))) };
}

/** Softmax outputs [N, 5] of inputs [N, 6, 5, 2], channels last. */
export function runSmallNetwork(weights: Weights, input: readonly number[]): number[] {
  const w = (name: string): HostTensor => weights.get(name)!;
  const outputs: number[] = [];
  for (let start = 0; start < input.length; start += 60) {
    const data = Float64Array.from(
      { length: 60 },
      (_, i) => input[start + (i % 30) * 2 + Math.floor(i / 30)]!,
    );
    let x: Planes = { channels: 2, height: 6, width: 5, data };
    x = eachChannel(
      convolve(x, w('stem.weight'), 1, 1),
      (value, c) => value + w('stem.bias').data[c]!,
    );
    if (weights.has('stem_bn.weight')) {
      x = eachChannel(x, (value, c) => {
        const scale =
          w('stem_bn.weight').data[c]! / Math.sqrt(w('stem_bn.running_var').data[c]! + 1e-3);
        return (value - w('stem_bn.running_mean').data[c]!) * scale + w('stem_bn.bias').data[c]!;
      });
    }
    x = convolve(
      eachChannel(x, (value) => Math.max(value, 0)),
      w('dw.weight'),
      0,
      4,
    );
    const logits = Array.from({ length: 5 }, (_, o) =>
      x.data.reduce(
        (sum, value, i) => sum + value * w('fc.weight').data[o * 96 + i]!,
        w('fc.bias').data[o]!,
      ),
    );
    const exponentials = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
    const total = exponentials.reduce((sum, value) => sum + value, 0);
    outputs.push(...exponentials.map((value) => value / total));
  }
  return outputs;
}
