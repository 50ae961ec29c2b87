// A convolution by its definition, in float64.

import type { ConvGeometry } from '../../src/kernels/conv.ts';

type Pair = readonly [number, number];

function dilated(length: number, dilation: number): number {
  return (length - 1) * dilation + 1;
}

/** The geometry with its output size, which may come out below 1. */
export function output(geometry: Omit<ConvGeometry, 'outputSize'>): ConvGeometry {
  const { size, kernelSize, stride, padding, dilation, lhsDilation } = geometry;
  const length = (axis: 0 | 1): number => {
    const padded =
      dilated(size[axis], lhsDilation[axis]) + padding[axis * 2]! + padding[axis * 2 + 1]!;
    return Math.floor((padded - dilated(kernelSize[axis], dilation[axis])) / stride[axis]) + 1;
  };
  const outputSize: Pair = [length(0), length(1)];
  return { ...geometry, outputSize };
}

/** For output position and tap: the input element, or -1. */
function meets(geometry: ConvGeometry, axis: 0 | 1, position: number, tap: number): number {
  const at =
    position * geometry.stride[axis] + tap * geometry.dilation[axis] - geometry.padding[axis * 2]!;
  const element = at / geometry.lhsDilation[axis];
  return Number.isInteger(element) && element >= 0 && element < geometry.size[axis] ? element : -1;
}

/** x [N, H, W, C], filter [O, C / groups, kH, kW] -> [N, H', W', O]. */
export function naiveConv(
  geometry: ConvGeometry,
  x: Float32Array,
  filter: Float32Array,
): Float64Array {
  const { batch, size, channels, outputs, outputSize, kernelSize, groups } = geometry;
  const inner = channels / groups;
  const y = new Float64Array(batch * outputSize[0] * outputSize[1] * outputs);
  let at = 0;
  for (let image = 0; image < batch; image++) {
    for (let row = 0; row < outputSize[0]; row++) {
      for (let column = 0; column < outputSize[1]; column++) {
        for (let o = 0; o < outputs; o++, at++) {
          const firstChannel = Math.floor(o / (outputs / groups)) * inner;
          for (let ky = 0; ky < kernelSize[0]; ky++) {
            const iy = meets(geometry, 0, row, ky);
            if (iy < 0) continue;
            for (let kx = 0; kx < kernelSize[1]; kx++) {
              const ix = meets(geometry, 1, column, kx);
              if (ix < 0) continue;
              const from = ((image * size[0] + iy) * size[1] + ix) * channels + firstChannel;
              for (let c = 0; c < inner; c++) {
                const weight = filter[((o * inner + c) * kernelSize[0] + ky) * kernelSize[1] + kx]!;
                y[at]! += x[from + c]! * weight;
              }
            }
          }
        }
      }
    }
  }
  return y;
}
