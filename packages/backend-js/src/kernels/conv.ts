// Convolution and both its gradients as products of matrices that are never written out. Whichever way the data flows, a
// convolution either gathers (each output position reads its window) or scatters (each input element adds to the outputs it
// reaches); the gradient of the input is the same with the roles exchanged.

import { sizeOf, type Conv2dAttributes, type Data, type Shape } from '@convoke/backend-api';
import type { Arrays, Kernels } from '../kernel.ts';
import {
  elementOffsets,
  geometryOf,
  imagesAtOnce,
  inputSize,
  laidOutPlanes,
  outputSize,
  reversed,
  takeUp,
  tapOffsets,
  taps,
  windowOffsets,
  windowSource,
  type Geometry,
} from './conv-geometry.ts';
import { depthwiseFilterGradient } from './depthwise-gradient.ts';
import { depthwise } from './depthwise.ts';
import { finish } from './finish.ts';
import { fiveWide, fiveWideGradient, fiveWideGradientPays, fiveWidePays } from './five-wide.ts';
import { multiply, multiplyAdd, steps } from './gemm.ts';
import { allFinite, winograd, winogradPays, type FilterView } from './winograd.ts';

/** Offsets of the taps of each channel, channels `stride` apart. */
function filterOffsets(
  channels: number,
  stride: number,
  count: number,
  turned: boolean,
): Int32Array {
  const offsets = new Int32Array(channels * count);
  for (let channel = 0; channel < channels; channel++) {
    for (let tap = 0; tap < count; tap++) {
      offsets[channel * count + tap] = channel * stride + (turned ? count - 1 - tap : tap);
    }
  }
  return offsets;
}

/** target[t, window] = sum over source channels and taps. */
function gather(
  g: Geometry,
  source: Float32Array,
  filter: FilterView,
  target: Float32Array,
  arrays: Arrays,
): void {
  const images = imagesAtOnce(g);
  const size = outputSize(g);
  const count = taps(g);
  const windows = windowSource(g, source, images, arrays);
  const weightRows = steps(g.outputs, filter.targetStride);
  const weightColumns = filterOffsets(g.inputs, filter.sourceStride, count, filter.turned);
  const tapRows = tapOffsets(g, windows.planes);
  const windowColumns = windowOffsets(g, windows.planes, images, windows.imageStride);
  const targetRows = steps(g.outputs, size);
  const targetColumns = elementOffsets(size, images, g.groups * g.outputs * size);
  for (let group = 0; group < g.groups; group++) {
    const weights = {
      data: filter.data,
      offset: group * g.inputs * g.outputs * count,
      rows: weightRows,
      columns: weightColumns,
    };
    for (let image = 0; image < g.batch; image += images) {
      const now = Math.min(images, g.batch - image);
      multiply(
        weights,
        {
          ...windows.at(group, image, now),
          rows: tapRows,
          columns: windowColumns.subarray(0, now * size),
        },
        {
          data: target,
          offset: (image * g.groups + group) * g.outputs * size,
          rows: targetRows,
          columns: targetColumns.subarray(0, now * size),
        },
      );
    }
  }
  windows.dispose();
}

/** The same flow by scattering; `g` is seen from the target, whose windows the source elements fill. */
function scatter(
  g: Geometry,
  source: Float32Array,
  filter: FilterView,
  target: Float32Array,
): void {
  const images = imagesAtOnce(g);
  const size = outputSize(g);
  const count = taps(g);
  const planes = laidOutPlanes(g);
  const imageStride = g.inputs * planes.planeStride;
  const sums = new Float64Array(images * imageStride);
  const weightRows = filterOffsets(g.inputs, filter.targetStride, count, filter.turned);
  const weightColumns = steps(g.outputs, filter.sourceStride);
  const sourceRows = steps(g.outputs, size);
  const sourceColumns = elementOffsets(size, images, g.groups * g.outputs * size);
  const tapRows = tapOffsets(g, planes);
  const windowColumns = windowOffsets(g, planes, images, imageStride);
  for (let group = 0; group < g.groups; group++) {
    for (let image = 0; image < g.batch; image += images) {
      const now = Math.min(images, g.batch - image);
      sums.fill(0);
      multiplyAdd(
        {
          data: filter.data,
          offset: group * g.inputs * g.outputs * count,
          rows: weightRows,
          columns: weightColumns,
        },
        {
          data: source,
          offset: (image * g.groups + group) * g.outputs * size,
          rows: sourceRows,
          columns: sourceColumns.subarray(0, now * size),
        },
        {
          data: sums,
          offset: 0,
          rows: tapRows,
          columns: windowColumns.subarray(0, now * size),
        },
      );
      for (let i = 0; i < now; i++) {
        const made = sums.subarray(i * imageStride, (i + 1) * imageStride);
        const offset = ((image + i) * g.groups + group) * g.inputs * inputSize(g);
        takeUp(g, made, target, offset, g.inputs);
      }
    }
  }
}

/** Multiply-adds that reading one element into a panel, or adding one sum into a window, costs about. */
const PACKING = 2;
const SCATTERING = 8;

/** Whether scattering is cheaper: it skips the zeros of dilated input and of padding, but pays for each tap it adds. */
function scatters(g: Geometry): boolean {
  const gathered = g.inputs * outputSize(g) * (Math.max(4, g.outputs) + PACKING);
  const scattered = g.outputs * inputSize(g) * (Math.max(4, g.inputs) + SCATTERING);
  return scattered < gathered;
}

function correlate(
  g: Geometry,
  source: Float32Array,
  filter: FilterView,
  target: Float32Array,
  arrays: Arrays,
): void {
  if (g.inputs === 1 && g.groups > 1) {
    depthwise(g, source, filter.data, filter.turned, target);
  } else if (winogradPays(g) && allFinite(source) && allFinite(filter.data)) {
    winograd(g, source, filter, target);
  } else if (fiveWidePays(g)) {
    fiveWide(g, source, filter, target);
  } else if (scatters(g)) {
    scatter(reversed(g), source, { ...filter, turned: !filter.turned }, target);
  } else gather(g, source, filter, target, arrays);
}

function forward(
  x: Float32Array,
  filter: Float32Array,
  shapes: { x: Shape; filter: Shape; output: Shape },
  attributes: Conv2dAttributes,
  arrays: Arrays,
): Float32Array {
  const g = geometryOf(shapes.x, shapes.filter, shapes.output, attributes);
  const target = arrays.take('float32', sizeOf(shapes.output));
  const count = taps(g);
  const view = {
    data: filter,
    targetStride: g.inputs * count,
    sourceStride: count,
    turned: false,
  };
  correlate(g, x, view, target, arrays);
  return target;
}

function filterGradient(
  g: Geometry,
  x: Float32Array,
  gradient: Float32Array,
  target: Float32Array,
  arrays: Arrays,
): void {
  const images = imagesAtOnce(g);
  const size = outputSize(g);
  const count = g.inputs * taps(g);
  const windows = windowSource(g, x, images, arrays);
  const sums = new Float64Array(target.length);
  const gradientRows = steps(g.outputs, size);
  const gradientColumns = elementOffsets(size, images, g.groups * g.outputs * size);
  const windowRows = windowOffsets(g, windows.planes, images, windows.imageStride);
  const tapColumns = tapOffsets(g, windows.planes);
  const sumRows = steps(g.outputs, count);
  const sumColumns = steps(count, 1);
  for (let group = 0; group < g.groups; group++) {
    for (let image = 0; image < g.batch; image += images) {
      const now = Math.min(images, g.batch - image);
      multiplyAdd(
        {
          data: gradient,
          offset: (image * g.groups + group) * g.outputs * size,
          rows: gradientRows,
          columns: gradientColumns.subarray(0, now * size),
        },
        {
          ...windows.at(group, image, now),
          rows: windowRows.subarray(0, now * size),
          columns: tapColumns,
        },
        { data: sums, offset: group * g.outputs * count, rows: sumRows, columns: sumColumns },
      );
    }
  }
  windows.dispose();
  target.set(sums);
}

function floats(data: Data): Float32Array {
  return data as Float32Array;
}

type Convolution = 'conv2d' | 'fusedConv2d' | 'conv2dInputGradient' | 'conv2dFilterGradient';

export const convolution: Pick<Required<Kernels>, Convolution> = {
  conv2d([x, filter], attributes, [output], _, arrays) {
    const shapes = { x: x!.spec.shape, filter: filter!.spec.shape, output: output!.shape };
    return [forward(floats(x!.data), floats(filter!.data), shapes, attributes, arrays)];
  },
  fusedConv2d([x, filter, bias, residual], attributes, [output], _, arrays) {
    const shapes = { x: x!.spec.shape, filter: filter!.spec.shape, output: output!.shape };
    const result = forward(floats(x!.data), floats(filter!.data), shapes, attributes, arrays);
    finish(result, output!.shape, floats(bias!.data), {
      residual: residual ? floats(residual.data) : null,
      activation: attributes.activation,
    });
    return [result];
  },
  conv2dInputGradient([gradient, filter], attributes, [output], _, arrays) {
    const g = geometryOf(output!.shape, filter!.spec.shape, gradient!.spec.shape, attributes);
    const target = arrays.take('float32', sizeOf(output!.shape));
    const count = taps(g);
    const view = {
      data: floats(filter!.data),
      targetStride: count,
      sourceStride: g.inputs * count,
      turned: true,
    };
    correlate(reversed(g), floats(gradient!.data), view, target, arrays);
    return [target];
  },
  conv2dFilterGradient([x, gradient], attributes, [output], _, arrays) {
    const g = geometryOf(x!.spec.shape, output!.shape, gradient!.spec.shape, attributes);
    const target = arrays.take('float32', sizeOf(output!.shape));
    const perform =
      g.inputs === 1 && g.groups > 1
        ? depthwiseFilterGradient
        : fiveWideGradientPays(g)
          ? fiveWideGradient
          : filterGradient;
    perform(g, floats(x!.data), floats(gradient!.data), target, arrays);
    return [target];
  },
};
