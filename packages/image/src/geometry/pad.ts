// Margins: of one colour, of the edge's pixels, or of the picture mirrored at its edge pixels.

import { ImageError } from '../errors.ts';
import { blank, channelValues, type Image, type PixelData } from '../image.ts';

export type PadMode = 'constant' | 'edge' | 'reflect';

export interface PadOptions {
  /** Pixels on every side that is not given by itself. Default: 0. */
  readonly all?: number | undefined;
  readonly left?: number | undefined;
  readonly top?: number | undefined;
  readonly right?: number | undefined;
  readonly bottom?: number | undefined;
  /** Default: constant. `reflect` does not repeat the edge's pixels. */
  readonly mode?: PadMode | undefined;
  /** Of `constant`: for all channels or one a channel. Default: 0. */
  readonly fill?: number | readonly number[] | undefined;
}

/**
 * The picture with margins. Throws an ImageError where a margin is no whole number of at least 0, or where `reflect` asks for
 * as many pixels as the picture has or more.
 */
export function pad<Data extends PixelData>(image: Image<Data>, options: PadOptions): Image<Data> {
  const { all = 0, mode = 'constant', fill = 0 } = options;
  const { left = all, top = all, right = all, bottom = all } = options;
  for (const [side, margin] of Object.entries({ left, top, right, bottom })) {
    if (!Number.isInteger(margin) || margin < 0) {
      throw new ImageError(
        'argument',
        `pad: ${side} must be a whole number of at least 0, not ${margin}`,
      );
    }
  }
  const columns = indices(mode, image.width, left, right, 'left and right');
  const rows = indices(mode, image.height, top, bottom, 'top and bottom');
  const result = blank(image, { width: columns.length, height: rows.length });
  const { channels, data, width } = image;
  const values = channelValues(fill, image, "pad's fill");
  const target = result.data;
  let out = 0;
  for (const row of rows) {
    for (const column of columns) {
      const outside = row < 0 || column < 0;
      const at = (row * width + column) * channels;
      for (let c = 0; c < channels; c++) target[out++] = outside ? values[c]! : data[at + c]!;
    }
  }
  return result;
}

/** The source pixel of each output pixel along an axis, -1 where there is none. */
function indices(
  mode: PadMode,
  size: number,
  before: number,
  after: number,
  sides: string,
): Int32Array {
  const result = new Int32Array(before + size + after);
  switch (mode) {
    case 'constant':
      return result.map((_, i) => (i < before || i >= before + size ? -1 : i - before));
    case 'edge':
      return result.map((_, i) => Math.min(Math.max(i - before, 0), size - 1));
    case 'reflect': {
      if (before >= size || after >= size) {
        throw new ImageError(
          'argument',
          `pad: reflect needs more pixels than it mirrors; ${sides} may be ${size - 1} at most here`,
        );
      }
      return result.map((_, i) => size - 1 - Math.abs(size - 1 - Math.abs(i - before)));
    }
    default:
      throw new ImageError(
        'argument',
        `pad: the mode is constant, edge or reflect, not '${String(mode satisfies never)}'`,
      );
  }
}
