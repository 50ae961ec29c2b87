// A convolution whose filter is another at every place.

import {
  add,
  formatShape,
  matmul,
  pad,
  parameter,
  permute,
  reshape,
  scope,
  ShapeError,
  slice,
  stack,
  type Generator,
  type Pair,
  type PairOption,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { fanInUniform } from '../init.ts';
import { Module } from '../module.ts';
import { expectCount, expectPair, settings } from './config.ts';

export interface LocallyConnected2dConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Height and width of the images; weights are per place, so it is fixed. */
  readonly inputSize: PairOption;
  readonly kernelSize: PairOption;
  /** Default 1. */
  readonly stride?: PairOption | undefined;
  /** Zeros around the image: one number, or [height, width]. Default 0. */
  readonly padding?: PairOption | undefined;
  /** Default true. */
  readonly bias?: boolean | undefined;
  readonly generator?: Generator | undefined;
}

function paddingOf(padding: PairOption): Pair {
  const pair = typeof padding === 'number' ? ([padding, padding] as const) : padding;
  if (pair.length !== 2 || !pair.every((side) => Number.isSafeInteger(side) && side >= 0)) {
    throw new ShapeError(
      `LocallyConnected2d: padding must be a whole number >= 0 or a pair [height, width] of them, got ${String(padding)}`,
    );
  }
  return [pair[0], pair[1]];
}

/**
 * [N, inChannels, H, W] to [N, outChannels, H', W'] by filters [H', W', outChannels, inChannels, kH, kW] that no two places
 * share, and a bias [outChannels, H', W'].
 */
export class LocallyConnected2d extends Module {
  readonly weight: Slot;
  readonly bias: Slot | null;
  readonly config: LocallyConnected2dConfig;
  readonly #input: Pair;
  readonly #output: Pair;
  readonly #kernel: Pair;
  readonly #stride: Pair;
  readonly #padding: Pair;

  /** Throws a ShapeError where the kernel is larger than the padded image. */
  constructor(config: LocallyConnected2dConfig) {
    super();
    const layer = 'LocallyConnected2d';
    const { inChannels, outChannels, bias = true, generator } = config;
    expectCount(layer, 'inChannels', inChannels);
    expectCount(layer, 'outChannels', outChannels);
    this.#input = expectPair(layer, 'inputSize', config.inputSize);
    this.#kernel = expectPair(layer, 'kernelSize', config.kernelSize);
    this.#stride = expectPair(layer, 'stride', config.stride ?? 1);
    this.#padding = paddingOf(config.padding ?? 0);
    const length = (axis: 0 | 1): number => {
      const room = this.#input[axis] + 2 * this.#padding[axis] - this.#kernel[axis];
      return Math.floor(room / this.#stride[axis]) + 1;
    };
    this.#output = [length(0), length(1)];
    if (this.#output.some((size) => size < 1)) {
      throw new ShapeError(
        `${layer}: a kernel of ${formatShape(this.#kernel)} does not fit in an image of ${formatShape(this.#input)} with padding ${formatShape(this.#padding)}`,
      );
    }
    const fanIn = inChannels * this.#kernel[0] * this.#kernel[1];
    const shape = [...this.#output, outChannels, inChannels, ...this.#kernel];
    this.config = config;
    this.weight = parameter(fanInUniform(shape, fanIn, generator));
    this.bias = bias
      ? parameter(fanInUniform([outChannels, ...this.#output], fanIn, generator))
      : null;
  }

  /** Throws a ShapeError where the images have another size than `inputSize`. */
  override forward(x: Tensor): Tensor {
    const { inChannels, outChannels } = this.config;
    const [n, ...image] = x.shape;
    const expected = [inChannels, ...this.#input];
    if (n === undefined || formatShape(image) !== formatShape(expected)) {
      throw new ShapeError(
        `LocallyConnected2d: the input has shape ${formatShape(x.shape)}; expected [N, ${expected.join(', ')}]`,
      );
    }
    const [height, width] = this.#output;
    const places = height * width;
    return scope(() => {
      const patches = this.#patches(x, n);
      const filters = reshape(this.weight, [places, outChannels, patches.shape[2]!]);
      const products = matmul(patches, filters, { transposeB: true });
      const y = reshape(permute(products, [1, 2, 0]), [n, outChannels, height, width]);
      return this.bias ? add(y, this.bias) : y;
    });
  }

  /** What each place sees: [places, N, C * kH * kW]. */
  #patches(x: Tensor, n: number): Tensor {
    const [kernelHeight, kernelWidth] = this.#kernel;
    const [strideHeight, strideWidth] = this.#stride;
    const [height, width] = this.#output;
    const [rows, columns] = this.#padding;
    const padded =
      rows + columns === 0
        ? x
        : pad(x, {
            padding: [
              [rows, rows],
              [columns, columns],
            ],
          });
    const taps = Array.from({ length: kernelHeight * kernelWidth }, (_, tap) => {
      const [top, left] = [Math.floor(tap / kernelWidth), tap % kernelWidth];
      return slice(padded, {
        starts: [0, 0, top, left],
        ends: [
          n,
          x.shape[1]!,
          top + (height - 1) * strideHeight + 1,
          left + (width - 1) * strideWidth + 1,
        ],
        steps: [1, 1, strideHeight, strideWidth],
      });
    });
    // [taps, N, C, H', W'] to [H', W', N, C, taps].
    const ordered = permute(stack(taps), [3, 4, 1, 2, 0]);
    return reshape(ordered, [height * width, n, x.shape[1]! * taps.length]);
  }

  protected override describe(): string {
    const { inChannels, outChannels, bias, generator: _, ...options } = this.config;
    return settings([inChannels, outChannels], { ...options, ...(bias === false && { bias }) });
  }
}
