// Gradient of a convolution with respect to its input: a convolution of the output's gradient with the filter, its channels
// exchanged and its taps turned by 180 degrees. A stride becomes a distance between the gradient's elements, which planConv2d
// takes apart into dense phases, so no work is wasted.

import type { Encoder, Precision } from '../encoder.ts';
import { axesOf, reversedAxis, tapCount, type MeetingAxis } from './conv-axes.ts';
import {
  chooseConv,
  filterForm,
  filterFormBytes,
  planConv2d,
  planFilterForm,
  type ConvAlgorithm,
  type ConvGeometry,
} from './conv.ts';
import { planStridedCopy } from './copy.ts';
import { imageProductWords, planMatmulPacked } from './gemm.ts';
import { panelBytes, planPackPanels } from './pack.ts';
import { cutWork } from './cut.ts';

/** What the input of a convolution must be padded by at its end to give an output of that length. */
function highPadding(axis: MeetingAxis): number {
  return (
    (axis.output - 1) * axis.stride +
    (axis.kernel - 1) * axis.rhsDilation -
    (axis.input - 1) * axis.lhsDilation -
    axis.low
  );
}

/** The convolution that maps the output's gradient to the input's. */
export function inputGradientGeometry(geometry: ConvGeometry): ConvGeometry {
  const axes = axesOf(geometry);
  const [y, x] = [reversedAxis(axes.y), reversedAxis(axes.x)];
  return {
    batch: geometry.batch,
    size: geometry.outputSize,
    channels: geometry.outputs,
    outputSize: geometry.size,
    outputs: geometry.channels,
    kernelSize: geometry.kernelSize,
    stride: geometry.lhsDilation,
    padding: [y.low, highPadding(y), x.low, highPadding(x)],
    dilation: geometry.dilation,
    lhsDilation: geometry.stride,
    groups: geometry.groups,
  };
}

/** `spread`: see planSpread. The others are those of `inputGradientGeometry`. */
export type InputGradientAlgorithm = ConvAlgorithm | 'spread';

/** Channels of the input up to which panels of 8 are too empty. */
const FEW_CHANNELS = 6;
const LEAST_OUTPUTS = 8;

/** The algorithm for an input's gradient; it depends on nothing else, so results do not depend on the number of threads. */
export function chooseInputGradient(
  geometry: ConvGeometry,
  precision: Precision,
): InputGradientAlgorithm {
  const { channels, outputs, groups, lhsDilation } = geometry;
  const isNarrow = groups === 1 && channels <= FEW_CHANNELS && outputs >= LEAST_OUTPUTS;
  const isDense = lhsDilation[0] === 1 && lhsDilation[1] === 1;
  if (isNarrow && isDense && tapCount(geometry) > 1) return 'spread';
  return chooseConv(inputGradientGeometry(geometry), precision);
}

/** Name of the form of a filter that the algorithm reads: with the filter's shape and groups, what a cached form depends on. */
export function transposedFilterForm(algorithm: InputGradientAlgorithm): string {
  return `transposed ${algorithm === 'spread' ? algorithm : filterForm(algorithm)}`;
}

/** Bytes of the filter in the form that the algorithm reads. */
export function transposedFilterBytes(
  geometry: ConvGeometry,
  algorithm: InputGradientAlgorithm,
): number {
  if (algorithm === 'spread') {
    return panelBytes(geometry.outputs, tapCount(geometry) * geometry.channels);
  }
  return filterFormBytes(inputGradientGeometry(geometry), filterForm(algorithm));
}

export interface TransposedFilterPlan {
  /** Of the convolution itself, not of its gradient. */
  readonly geometry: ConvGeometry;
  readonly algorithm: InputGradientAlgorithm;
  /** Address of the filter [O, C / groups, kH, kW]. */
  readonly filter: number;
  /** Address of `transposedFilterBytes`. */
  readonly to: number;
}

/** Brings a filter into the form that planConvInputGradient takes. */
export function planPackTransposedFilter(e: Encoder, plan: TransposedFilterPlan): void {
  const { geometry, algorithm, filter, to } = plan;
  const { groups } = geometry;
  const taps = tapCount(geometry);
  const inputs = geometry.channels / groups;
  const outputs = geometry.outputs / groups;
  if (algorithm === 'spread') {
    const panels = Math.ceil((taps * inputs) / 8);
    const { chunks, perChunk } = cutWork(e, panels, outputs * 64);
    e.emit('packTapColumns', chunks, [filter, to, outputs, inputs, taps, perChunk]);
    return;
  }
  const form = filterForm(algorithm);
  const from = filter + (taps - 1) * 4;
  if (form === 'panels') {
    planPackPanels(e, {
      from,
      to,
      columns: inputs,
      inner: outputs,
      taps,
      batch: groups,
      columnStride: taps,
      innerStride: inputs * taps,
      tapStride: -1,
      batchStride: outputs * inputs * taps,
    });
    return;
  }
  const turned = e.workspace(geometry.channels * outputs * taps * 4);
  planStridedCopy(e, {
    from,
    to: turned,
    elementBytes: 4,
    shape: [groups, inputs, outputs, taps],
    strides: [outputs * inputs * taps, taps, inputs * taps, -1],
  });
  planFilterForm(e, { geometry: inputGradientGeometry(geometry), form, filter: turned, to });
}

export interface ConvInputGradientPlan {
  /** Of the convolution itself, not of its gradient. */
  readonly geometry: ConvGeometry;
  readonly algorithm: InputGradientAlgorithm;
  /** Address of the gradient of the output, [N, H', W', O]. */
  readonly gradient: number;
  /** Address of the filter, in the algorithm's form, by planPackTransposedFilter. */
  readonly filter: number;
  /** Address of the gradient of the input, [N, H, W, C]. */
  readonly out: number;
}

export function planConvInputGradient(e: Encoder, plan: ConvInputGradientPlan): void {
  const { geometry, algorithm, gradient, filter, out } = plan;
  if (algorithm === 'spread') {
    planSpread(e, plan);
    return;
  }
  planConv2d(e, {
    geometry: inputGradientGeometry(geometry),
    algorithm,
    x: gradient,
    filter,
    y: out,
  });
}

/** Bytes of one image's products that fit a thread's scratch memory, behind what it is used for besides. */
const SCRATCH_PRODUCT_BYTES = 2 ** 18 - 4096;

/**
 * For few channels: the gradient's pixels times the filter as a matrix [O, taps * C], then each input pixel's sum of what
 * belongs to it. Small images in one command, large ones one after another.
 */
function planSpread(e: Encoder, { geometry, gradient, filter, out }: ConvInputGradientPlan): void {
  const { batch, channels, outputs, size, outputSize, kernelSize, padding } = geometry;
  const columns = tapCount(geometry) * channels;
  const [inPixels, outPixels] = [size[0] * size[1], outputSize[0] * outputSize[1]];
  const gatherWords = (
    products: number,
    to: number,
    pixels: number,
    perChunk: number,
  ): number[] => [
    products,
    to,
    channels,
    ...size,
    ...outputSize,
    ...kernelSize,
    padding[0],
    padding[2],
    ...geometry.stride,
    ...geometry.dilation,
    pixels,
    perChunk,
  ];
  const product = { a: gradient, packed: filter, m: outPixels, n: columns, k: outputs };
  const productBytes = outPixels * columns * 4;
  if (batch > 1 && productBytes <= SCRATCH_PRODUCT_BYTES) {
    const { chunks, perChunk } = cutWork(e, batch, outPixels * columns * (outputs + 2));
    e.emit('spreadTaps', chunks, [
      ...gatherWords(0, out, batch * inPixels, 0),
      ...imageProductWords(e, product),
      perChunk,
    ]);
    return;
  }
  const products = e.workspace(productBytes);
  const work = (columns * outPixels) / inPixels;
  const { chunks, perChunk } = cutWork(e, inPixels, work * 2);
  for (let image = 0; image < batch; image++) {
    const a = gradient + image * outPixels * outputs * 4;
    planMatmulPacked(e, { ...product, a, y: products });
    const to = out + image * inPixels * channels * 4;
    e.emit('gatherTaps', chunks, gatherWords(products, to, inPixels, perChunk));
  }
}
