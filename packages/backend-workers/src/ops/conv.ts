// Convolutions of images and their gradients, channels last. Filters are kept in the form that their algorithm reads, packed
// when they are first used.

import {
  sizeOf,
  type Conv2dAttributes,
  type FusedActivation,
  type Shape,
} from '@convoke/backend-api';

import { isDepthwise } from '../kernels/conv-axes.ts';
import {
  chooseInputGradient,
  planConvInputGradient,
  planPackTransposedFilter,
  transposedFilterBytes,
  transposedFilterForm,
} from '../kernels/conv-gradients.ts';
import {
  chooseConv,
  filterForm,
  filterFormBytes,
  planConv2d,
  planFilterForm,
  type ConvGeometry,
} from '../kernels/conv.ts';
import { planFill } from '../kernels/copy.ts';
import {
  packedDepthwiseBytes,
  packedDepthwiseGradientBytes,
  planDepthwise,
  planDepthwiseInputGradient,
  planPackDepthwise,
  planPackDepthwiseGradient,
} from '../kernels/depthwise.ts';
import { planConvFilterGradient } from '../kernels/filter-gradient.ts';
import { channelsLast } from '../order.ts';
import type { Planning } from '../planning.ts';
import type { Planners } from './planner.ts';

type Bounds = readonly [number, number];

const bounds: Readonly<Record<FusedActivation, Bounds>> = {
  none: [-Infinity, Infinity],
  relu: [0, Infinity],
  relu6: [0, 6],
};

/** Of a convolution of `images` to `output`, by their logical shapes. */
function geometryOf(
  images: Shape,
  output: Shape,
  kernelSize: readonly [number, number],
  { stride, padding, lhsDilation, rhsDilation, groups }: Conv2dAttributes,
): ConvGeometry {
  return {
    batch: images[0]!,
    size: [images[2]!, images[3]!],
    channels: images[1]!,
    outputSize: [output[2]!, output[3]!],
    outputs: output[1]!,
    kernelSize,
    stride,
    padding,
    dilation: rhsDilation,
    lhsDilation,
    groups,
  };
}

function kernelSizeOf(filter: Shape): readonly [number, number] {
  return [filter[2]!, filter[3]!];
}

/** All that a packed filter depends on but the filter's values. */
function formKey(form: string, filter: Shape, groups: number): string {
  return `${form} ${filter.join(' ')} ${groups}`;
}

interface Epilogue {
  /** Addresses, or 0 for none. */
  readonly bias: number;
  readonly residual: number;
  readonly clamp: Bounds;
}

/** Inputs 0 and 1 convolved into `y`. */
function convolve(p: Planning, y: number, attributes: Conv2dAttributes, epilogue: Epilogue): void {
  const [images, filter] = [p.inputs[0]!.spec.shape, p.inputs[1]!.spec.shape];
  const geometry = geometryOf(images, p.outputs[0]!.shape, kernelSizeOf(filter), attributes);
  const x = p.at(0, channelsLast(images));
  const { encoder } = p;
  if (isDepthwise(geometry)) {
    const key = formKey('depthwise', filter, geometry.groups);
    const weight = p.form(1, key, packedDepthwiseBytes(geometry), (packed) =>
      planPackDepthwise(encoder, { filter: p.at(1), packed, geometry }),
    );
    planDepthwise(encoder, { x, weight, y, geometry, ...epilogue });
    return;
  }
  const algorithm = chooseConv(geometry, encoder.precision);
  const form = filterForm(algorithm);
  const key = formKey(form, filter, geometry.groups);
  const packed = p.form(1, key, filterFormBytes(geometry, form), (to) =>
    planFilterForm(encoder, { geometry, form, filter: p.at(1), to }),
  );
  planConv2d(encoder, { geometry, algorithm, x, filter: packed, y, ...epilogue });
}

export const convolution: Planners = {
  conv2d(p, attributes) {
    const { shape } = p.outputs[0]!;
    const y = p.output(channelsLast(shape));
    const count = sizeOf(shape);
    if (count === 0) return;
    if (p.inputs.some(({ storage }) => storage.elements === 0)) {
      planFill(p.encoder, { to: y, count, bits: 0, elementBytes: 4 });
      return;
    }
    convolve(p, y, attributes, { bias: 0, residual: 0, clamp: bounds.none });
  },

  fusedConv2d(p, attributes) {
    const order = channelsLast(p.outputs[0]!.shape);
    const residual = attributes.residual ? p.at(3, order) : 0;
    const y = attributes.residual ? p.output(order, 3) : p.output(order);
    const clamp = bounds[attributes.activation];
    convolve(p, y, attributes, { bias: p.at(2), residual, clamp });
  },

  conv2dInputGradient(p, attributes) {
    const [output, filter] = [p.inputs[0]!.spec.shape, p.inputs[1]!.spec.shape];
    const images = p.outputs[0]!.shape;
    const geometry = geometryOf(images, output, kernelSizeOf(filter), attributes);
    const gradient = p.at(0, channelsLast(output));
    const out = p.output(channelsLast(images));
    const { encoder } = p;
    if (isDepthwise(geometry)) {
      const key = formKey('depthwise gradient', filter, geometry.groups);
      const weight = p.form(1, key, packedDepthwiseGradientBytes(geometry), (packed) =>
        planPackDepthwiseGradient(encoder, { filter: p.at(1), packed, geometry }),
      );
      planDepthwiseInputGradient(encoder, { gradient, weight, out, geometry });
      return;
    }
    const algorithm = chooseInputGradient(geometry, encoder.precision);
    const key = formKey(transposedFilterForm(algorithm), filter, geometry.groups);
    const packed = p.form(1, key, transposedFilterBytes(geometry, algorithm), (to) =>
      planPackTransposedFilter(encoder, { geometry, algorithm, filter: p.at(1), to }),
    );
    planConvInputGradient(encoder, { geometry, algorithm, gradient, filter: packed, out });
  },

  conv2dFilterGradient(p, attributes) {
    const [images, output] = [p.inputs[0]!.spec.shape, p.inputs[1]!.spec.shape];
    planConvFilterGradient(p.encoder, {
      x: p.at(0, channelsLast(images)),
      gradient: p.at(1, channelsLast(output)),
      out: p.output(),
      geometry: geometryOf(images, output, attributes.kernelSize, attributes),
    });
  },
};
