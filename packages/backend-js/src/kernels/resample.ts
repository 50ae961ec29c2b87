// Weighted sums of windows along an axis. Taps are added in their order.

import type { Kernels } from '../kernel.ts';
import { aroundAxis, type AxisView } from './axis.ts';

/** Taps that add something: of window i those from firsts[i] to firsts[i + 1], each with its element of the axis. */
interface Taps {
  readonly firsts: Int32Array;
  readonly places: Int32Array;
  readonly weights: Float32Array;
}

function tapsOf(weights: Float32Array, starts: Int32Array, length: number): Taps {
  const most = weights.length / starts.length;
  const taps = {
    firsts: new Int32Array(starts.length + 1),
    places: new Int32Array(weights.length),
    weights: new Float32Array(weights.length),
  };
  let count = 0;
  for (let i = 0; i < starts.length; i++) {
    for (let t = 0; t < most; t++) {
      const weight = weights[i * most + t]!;
      const place = starts[i]! + t;
      if (weight === 0 || place < 0 || place >= length) continue;
      taps.places[count] = place;
      taps.weights[count++] = weight;
    }
    taps.firsts[i + 1] = count;
  }
  return taps;
}

/** Along the last axis: sums of four lines at a time, which share the reading of taps; the last four may overlap others. */
function lines(
  { outer, length }: AxisView,
  { firsts, places, weights }: Taps,
  x: Float32Array,
  y: Float32Array,
): void {
  const output = firsts.length - 1;
  for (let line = 0; line < outer; line += 4) {
    const [b, c, d] = [1, 2, 3].map((more) => Math.min(line + more, outer - 1));
    const [xa, xb, xc, xd] = [line * length, b! * length, c! * length, d! * length];
    const [ya, yb, yc, yd] = [line * output, b! * output, c! * output, d! * output];
    let tap = 0;
    for (let i = 0; i < output; i++) {
      const end = firsts[i + 1]!;
      let sa = 0;
      let sb = 0;
      let sc = 0;
      let sd = 0;
      for (; tap < end; tap++) {
        const weight = weights[tap]!;
        const place = places[tap]!;
        sa += weight * x[xa + place]!;
        sb += weight * x[xb + place]!;
        sc += weight * x[xc + place]!;
        sd += weight * x[xd + place]!;
      }
      y[ya + i] = sa;
      y[yb + i] = sb;
      y[yc + i] = sc;
      y[yd + i] = sd;
    }
  }
}

/** Along another axis: whole rows, two taps at a time; a last one that is alone counts as two of half its weight. */
function rows(
  { outer, length, inner }: AxisView,
  { firsts, places, weights }: Taps,
  x: Float32Array,
  y: Float32Array,
): void {
  const output = firsts.length - 1;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < output; i++) {
      const to = (o * output + i) * inner;
      const first = firsts[i]!;
      const end = firsts[i + 1]!;
      if (first === end) y.fill(0, to, to + inner);
      for (let tap = first; tap < end; tap += 2) {
        const other = Math.min(tap + 1, end - 1);
        const share = other === tap ? 0.5 : 1;
        const a = (o * length + places[tap]!) * inner;
        const b = (o * length + places[other]!) * inner;
        const weightA = share * weights[tap]!;
        const weightB = share * weights[other]!;
        if (tap === first) {
          for (let k = 0; k < inner; k++) y[to + k] = weightA * x[a + k]! + weightB * x[b + k]!;
        } else {
          for (let k = 0; k < inner; k++) y[to + k]! += weightA * x[a + k]! + weightB * x[b + k]!;
        }
      }
    }
  }
}

export const resampling: Pick<Required<Kernels>, 'resample'> = {
  resample([x, weights, starts], { axis }, _outputs, _, arrays) {
    const view = aroundAxis(x!.spec.shape, axis);
    const windows = starts!.data as Int32Array;
    const taps = tapsOf(weights!.data as Float32Array, windows, view.length);
    const y = arrays.take('float32', view.outer * windows.length * view.inner);
    (view.inner === 1 ? lines : rows)(view, taps, x!.data as Float32Array, y);
    return [y];
  },
};
