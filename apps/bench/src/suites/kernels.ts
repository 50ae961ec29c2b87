// Suite `kernels`: single ops of well-known networks, batch 1.

import type { Case, KernelCase } from '../contender.ts';
import { uniform } from '../random.ts';
import { convolution, depthwise, gemm, mobileNetBlock } from '../reference/linear.ts';
import { batchNorm, gelu, softmax } from '../reference/pointwise.ts';

const conv = (
  channels: number,
  filters: number,
  kernelSize: number,
  size: number,
  stride = 1,
): KernelCase => ({
  kind: 'conv',
  channels,
  filters,
  kernelSize,
  stride,
  padding: kernelSize >> 1,
  size,
});

const works: Readonly<Record<string, KernelCase>> = {
  'gemm-512': { kind: 'gemm', size: 512 },
  'gemm-1024': { kind: 'gemm', size: 1024 },
  'conv3x3-64-64-56': conv(64, 64, 3, 56),
  'conv3x3-128-128-28': conv(128, 128, 3, 28),
  'conv3x3-256-256-14': conv(256, 256, 3, 14),
  'conv3x3-512-512-7': conv(512, 512, 3, 7),
  'conv1x1-256-64-56': conv(256, 64, 1, 56),
  'dw3x3-32-112': { kind: 'depthwise', channels: 32, kernelSize: 3, size: 112 },
  'dw3x3-576-14': { kind: 'depthwise', channels: 576, kernelSize: 3, size: 14 },
  'conv7x7s2-3-64-224': conv(3, 64, 7, 224, 2),
  'mobilenetv2-block-24-56': { kind: 'block', channels: 24, expanded: 144, size: 56 },
  elementwise: { kind: 'elementwise', shape: [1, 64, 56, 56] },
  softmax: { kind: 'softmax', rows: 64, columns: 1000 },
  batchnorm: { kind: 'batchnorm', shape: [1, 64, 56, 56] },
  'empty-op-x1000': { kind: 'chain', ops: 1000, elements: 1 },
  'chain-x1000-4096': { kind: 'chain', ops: 1000, elements: 4096 },
};

type Parts = Pick<Case, 'inputs' | 'reference' | 'flops'>;

function partsOf(work: KernelCase): Parts {
  switch (work.kind) {
    case 'gemm': {
      const { size } = work;
      const a = uniform(size * size, 1);
      const b = uniform(size * size, 2);
      return {
        inputs: new Map([
          ['a', a],
          ['b', b],
        ]),
        reference: gemm(a, b, size),
        flops: 2 * size ** 3,
      };
    }
    case 'conv': {
      const { channels, filters, kernelSize, size } = work;
      const taps = channels * kernelSize ** 2;
      const x = uniform(channels * size * size, 1);
      const weight = uniform(filters * taps, 2, Math.sqrt(3 / taps));
      const reference = convolution(x, weight, work);
      return {
        inputs: new Map([
          ['x', x],
          ['weight', weight],
        ]),
        reference,
        flops: 2 * reference.length * taps,
      };
    }
    case 'depthwise': {
      const { channels, kernelSize, size } = work;
      const x = uniform(channels * size * size, 1);
      const weight = uniform(channels * kernelSize ** 2, 2);
      const reference = depthwise(x, weight, work);
      return {
        inputs: new Map([
          ['x', x],
          ['weight', weight],
        ]),
        reference,
        flops: 2 * reference.length * kernelSize ** 2,
      };
    }
    case 'block': {
      const { channels, expanded, size } = work;
      const inputs = new Map([
        ['x', uniform(channels * size * size, 1)],
        ['expand', uniform(expanded * channels, 2, Math.sqrt(3 / channels))],
        ['depthwise', uniform(expanded * 9, 3, Math.sqrt(3 / 9))],
        ['project', uniform(channels * expanded, 4, Math.sqrt(3 / expanded))],
        ['expandBias', uniform(expanded, 5)],
        ['depthwiseBias', uniform(expanded, 6)],
        ['projectBias', uniform(channels, 7)],
      ]);
      const products = expanded * (2 * channels + 9);
      return { inputs, reference: mobileNetBlock(inputs, work), flops: 2 * products * size * size };
    }
    case 'elementwise': {
      const x = uniform(
        work.shape.reduce((a, b) => a * b, 1),
        1,
        4,
      );
      return { inputs: new Map([['x', x]]), reference: gelu(x), flops: null };
    }
    case 'softmax': {
      const x = uniform(work.rows * work.columns, 1, 4);
      return { inputs: new Map([['x', x]]), reference: softmax(x, work.columns), flops: null };
    }
    case 'chain': {
      const x = uniform(work.elements, 1);
      return {
        inputs: new Map([['x', x]]),
        reference: Float64Array.from(x, (value) => Math.abs(value)),
        flops: null,
      };
    }
    case 'batchnorm': {
      const [, channels] = work.shape;
      const inputs = new Map([
        [
          'x',
          uniform(
            work.shape.reduce((a, b) => a * b, 1),
            1,
          ),
        ],
        ['weight', uniform(channels, 2)],
        ['bias', uniform(channels, 3)],
        ['mean', uniform(channels, 4)],
        ['variance', uniform(channels, 5).map((value) => 1.5 + value)],
      ]);
      return { inputs, reference: batchNorm(inputs, work.shape), flops: null };
    }
    default:
      return work satisfies never;
  }
}

export const kernelNames: readonly string[] = Object.keys(works);

/** A case of the suite with its inputs and reference, made when it is wanted: they are large. */
export function kernelCase(name: string): Case {
  const work = works[name]!;
  return { suite: 'kernels', name, work, ...partsOf(work) };
}
