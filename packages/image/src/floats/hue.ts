// The hue on floats, as torchvision computes it on tensors.

import { ImageError } from '../errors.ts';
import { requireNumber } from '../image.ts';
import { requireLength, type Planes } from './planes.ts';

/**
 * Three planes of RGB in [0, 1] with the hue moved by `turns` of the circle, -0.5 to 0.5. Throws an ImageError for other
 * numbers of planes.
 */
export function huePlanes(planes: Planes, turns: number): Planes {
  const { channels, data } = planes;
  requireNumber(turns, "huePlanes' turns");
  requireLength(planes);
  if (channels !== 3) {
    throw new ImageError('argument', `huePlanes takes three planes, RGB, not ${channels}`);
  }
  const length = data.length / 3;
  const output = new Float32Array(data.length);
  for (let i = 0; i < length; i++) {
    const red = data[i]!;
    const green = data[length + i]!;
    const blue = data[2 * length + i]!;
    const value = Math.max(red, green, blue);
    const spread = value - Math.min(red, green, blue);
    // As distances from the largest: where two tie, the order red, green, blue decides, and the result is the same.
    const divisor = spread === 0 ? 1 : spread;
    const r = (value - red) / divisor;
    const g = (value - green) / divisor;
    const b = (value - blue) / divisor;
    const sector = red === value ? b - g : green === value ? 2 + r - b : 4 + g - r;
    const moved = sector / 6 + 1 + turns;
    const hue = (moved - Math.floor(moved)) * 6;
    for (const [c, start] of [5, 3, 1].entries()) {
      // A channel falls from `value` over one sector, stays low for two, and rises again.
      const k = (start + hue) % 6;
      output[c * length + i] = value - spread * Math.max(0, Math.min(k, 4 - k, 1));
    }
  }
  return { ...planes, data: output };
}
