// Maxima of windows with their places, and the gradient that goes to these places. NaN is the maximum of its window; of
// equal elements the first counts; a window without elements gives -Infinity at -1.

import { sizeOf } from '@convoke/backend-api';
import type { Kernels } from '../kernel.ts';
import { poolGeometry, type PoolGeometry } from './pool-windows.ts';

function pool(
  g: PoolGeometry,
  source: Float32Array,
  maxima: Float32Array,
  indices: Int32Array,
): void {
  const { planes, height, width, outHeight, outWidth, y, x } = g;
  let t = 0;
  for (let plane = 0; plane < planes; plane++) {
    const offset = plane * height * width;
    for (let row = 0; row < outHeight; row++) {
      const top = y.starts[row]!;
      const bottom = y.ends[row]!;
      const two = bottom - top === 2 && y.step === 1 && x.step === 1;
      for (let column = 0; column < outWidth; column++) {
        const left = x.starts[column]!;
        const right = x.ends[column]!;
        const i = top * width + left;
        const pair = offset + i;
        const usual = two && right - left === 2;
        if (
          usual &&
          !Number.isNaN(
            source[pair]! + source[pair + 1]! + source[pair + width]! + source[pair + width + 1]!,
          )
        ) {
          // 2x2 by arithmetic on comparisons: which element wins is hard to predict, and branches cost 3 times as much.
          const above = Number(source[pair + 1]! > source[pair]!) | 0;
          const below =
            (width + (Number(source[pair + width + 1]! > source[pair + width]!) | 0)) | 0;
          const lower = Number(source[pair + below]! > source[pair + above]!) | 0;
          const winner = (lower * below + (1 - lower) * above) | 0;
          maxima[t] = source[pair + winner]!;
          indices[t] = i + winner;
        } else {
          let best = -Infinity;
          let at = -1;
          for (let h = top; h < bottom; h += y.step) {
            for (let w = left; w < right; w += x.step) {
              const value = source[offset + h * width + w]!;
              if (at < 0 || value > best || (value !== value && best === best)) {
                best = value;
                at = h * width + w;
              }
            }
          }
          maxima[t] = best;
          indices[t] = at;
        }
        t++;
      }
    }
  }
}

export const maxPooling: Pick<Required<Kernels>, 'maxPool2d' | 'maxPool2dGradient'> = {
  maxPool2d([x], attributes, [output], _, arrays) {
    const [, , height, width] = x!.spec.shape as [number, number, number, number];
    const g = poolGeometry([height, width], output!.shape, attributes);
    const maxima = arrays.take('float32', sizeOf(output!.shape));
    const indices = arrays.take('int32', maxima.length);
    pool(g, x!.data as Float32Array, maxima, indices);
    return [maxima, indices];
  },
  maxPool2dGradient([gradient, indices], { inputSize }, [output], _, arrays) {
    const target = arrays.zeros('float32', sizeOf(output!.shape));
    const values = gradient!.data as Float32Array;
    const places = indices!.data as Int32Array;
    const plane = inputSize[0] * inputSize[1];
    const perPlane = sizeOf(gradient!.spec.shape.slice(2));
    const planes = sizeOf(gradient!.spec.shape.slice(0, 2));
    let i = 0;
    for (let p = 0; p < planes; p++) {
      const offset = p * plane;
      for (const end = i + perPlane; i < end; i++) {
        const at = places[i]!;
        if (at >= 0) target[offset + at]! += values[i]!;
      }
    }
    return [target];
  },
};
