// Pooling of [N, H, W, C] by its definition, in doubles.

import type { PoolShape, Window } from '../../src/kernels/pool-geometry.ts';
import type { SumPool2d } from '../../src/kernels/sum-pool.ts';

export type PoolCase = PoolShape & Window;

interface Tap {
  readonly image: number;
  readonly channel: number;
  readonly h: number;
  readonly w: number;
  /** In the images; whether the tap lies inside them. */
  readonly at: number;
  readonly inside: boolean;
}

/** Calls `visit` for each element of the pooled images with the taps of its window in row-major order. */
function eachWindow(s: PoolCase, visit: (out: number, taps: readonly Tap[]) => void): void {
  let out = 0;
  for (let image = 0; image < s.n; image++) {
    for (let row = 0; row < s.outHeight; row++) {
      for (let column = 0; column < s.outWidth; column++) {
        for (let channel = 0; channel < s.c; channel++) {
          const taps: Tap[] = [];
          for (let i = 0; i < s.kernelSize[0]; i++) {
            for (let j = 0; j < s.kernelSize[1]; j++) {
              const h = row * s.stride[0] - s.padding[0] + i * s.dilation[0];
              const w = column * s.stride[1] - s.padding[2] + j * s.dilation[1];
              const inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
              const at = ((image * s.height + h) * s.width + w) * s.c + channel;
              taps.push({ image, channel, h, w, at, inside });
            }
          }
          visit(out++, taps);
        }
      }
    }
  }
}

export function naiveMaxPool(
  s: PoolCase,
  x: ArrayLike<number>,
): { maxima: number[]; places: number[] } {
  const [maxima, places]: [number[], number[]] = [[], []];
  eachWindow(s, (out, taps) => {
    const inside = taps.filter((tap) => tap.inside);
    const values = inside.map((tap) => x[tap.at]!);
    const nan = values.findIndex((value) => Number.isNaN(value));
    const largest = nan >= 0 ? NaN : Math.max(...values);
    const first = nan >= 0 ? nan : values.indexOf(largest);
    maxima[out] = largest;
    places[out] = first < 0 ? -1 : inside[first]!.h * s.width + inside[first]!.w;
  });
  return { maxima, places };
}

function divisorOf(
  s: PoolCase & Pick<SumPool2d, 'divisor' | 'countedPadding'>,
  taps: readonly Tap[],
): number {
  if (typeof s.divisor === 'number') return s.divisor;
  if (s.divisor === 'kernel') return taps.length;
  const [top, bottom, left, right] =
    s.divisor === 'padded' ? s.countedPadding! : ([0, 0, 0, 0] as const);
  return taps.filter(
    ({ h, w }) => h >= -top && h < s.height + bottom && w >= -left && w < s.width + right,
  ).length;
}

type AverageCase = PoolCase & Pick<SumPool2d, 'divisor' | 'countedPadding'>;

export function naiveSumPool(s: AverageCase, x: ArrayLike<number>): number[] {
  const sums: number[] = [];
  eachWindow(s, (out, taps) => {
    const sum = taps.filter((tap) => tap.inside).reduce((total, tap) => total + x[tap.at]!, 0);
    sums[out] = sum / divisorOf(s, taps);
  });
  return sums;
}

export function naiveSumPoolGradient(s: AverageCase, gradient: ArrayLike<number>): number[] {
  const y = Array.from({ length: s.n * s.height * s.width * s.c }, () => 0);
  eachWindow(s, (out, taps) => {
    const share = gradient[out]! / divisorOf(s, taps);
    for (const tap of taps) if (tap.inside) y[tap.at]! += share;
  });
  return y;
}
