// Affine maps of a picture, rotation among them, equal to Pillow's `Image.transform` and `Image.rotate`.

import { premultiply, unpremultiply } from '../colour/alpha.ts';
import { ImageError } from '../errors.ts';
import {
  blank,
  channelValues,
  requireBytes,
  requireNumber,
  requireSize,
  type Image,
  type Size,
} from '../image.ts';
import { rotateQuarters } from './flip.ts';
import { sampleBicubic, sampleBilinear, sampleNearest, type AffineMatrix } from './sample.ts';

export type { AffineMatrix } from './sample.ts';

export type AffineFilter = 'nearest' | 'bilinear' | 'bicubic';

const samplers = { nearest: sampleNearest, bilinear: sampleBilinear, bicubic: sampleBicubic };

interface Sampling {
  /** Default: nearest. */
  readonly filter?: AffineFilter | undefined;
  /** Colour where the source lies outside: for all channels or one a channel. Default: 0. */
  readonly fill?: number | readonly number[] | undefined;
}

export interface AffineOptions extends Sampling {
  /** From output to input: output pixel centre (x, y) is read at (a x + b y + c, d x + e y + f). */
  readonly matrix: AffineMatrix;
  /** Of the output. Default: the picture's. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** The picture under an affine map. Throws an ImageError for an unknown filter or a matrix that is not of six finite numbers. */
export function affine(image: Image, options: AffineOptions): Image {
  const { matrix, filter = 'nearest', fill = 0 } = options;
  const { width = image.width, height = image.height } = options;
  requireBytes(image, 'affine');
  requireSize({ width, height }, "affine's output");
  if (matrix?.length !== 6 || !matrix.every(Number.isFinite)) {
    const given = Array.isArray(matrix) ? `[${matrix.join(', ')}]` : String(matrix);
    throw new ImageError('argument', `affine: the matrix is six numbers, not ${given}`);
  }
  if (!Object.hasOwn(samplers, filter)) {
    throw new ImageError(
      'argument',
      `affine: the filter is nearest, bilinear or bicubic, not '${String(filter)}'`,
    );
  }
  const values = channelValues(fill, image, "affine's fill").map(Math.round);
  const weighed = image.channels === 4 && filter !== 'nearest';
  const source = weighed ? premultiply(image) : image;
  let target = blank(image, { width, height });
  for (let i = 0; i < target.data.length; i++) target.data[i] = values[i % values.length]!;
  if (weighed) target = premultiply(target);
  samplers[filter](source, target, matrix);
  return weighed ? unpremultiply(target) : target;
}

export interface RotateOptions extends Sampling {
  /** Counter-clockwise. */
  readonly degrees: number;
  /** Make the output as large as the turned picture. Default: keep the size. */
  readonly expand?: boolean | undefined;
  /** What stays in place, in pixels from the top left corner. Default: the middle. */
  readonly center?: readonly [x: number, y: number] | undefined;
}

/** To 15 decimals: quarter turns come out exact. */
const tidy = (value: number): number => Number(value.toFixed(15));

/** The picture turned, equal to Pillow's `Image.rotate`. Throws as `affine` does. */
export function rotate(image: Image, options: RotateOptions): Image {
  const { degrees, expand = false, center, filter, fill } = options;
  requireBytes(image, 'rotate');
  requireNumber(degrees, "rotate's degrees");
  const { width, height } = image;
  const turn = ((degrees % 360) + 360) % 360;
  if (center === undefined && turn % 180 === 0) return rotateQuarters(image, turn / 90);
  if (center === undefined && turn % 90 === 0 && (expand || width === height)) {
    return rotateQuarters(image, turn / 90);
  }
  const angle = (-turn * Math.PI) / 180;
  const [cos, sin] = [tidy(Math.cos(angle)), tidy(Math.sin(angle))];
  const [x, y] = center ?? [width / 2, height / 2];
  let c = cos * -x + sin * -y + x;
  let f = -sin * -x + cos * -y + y;
  if (!expand) return affine(image, { matrix: [cos, sin, c, -sin, cos, f], filter, fill });
  const corners = [
    [0, 0],
    [width, 0],
    [width, height],
    [0, height],
  ] as const;
  const xs = corners.map(([u, v]) => cos * u + sin * v + c);
  const ys = corners.map(([u, v]) => -sin * u + cos * v + f);
  const size: Size = {
    width: Math.ceil(Math.max(...xs)) - Math.floor(Math.min(...xs)),
    height: Math.ceil(Math.max(...ys)) - Math.floor(Math.min(...ys)),
  };
  const [u, v] = [-(size.width - width) / 2, -(size.height - height) / 2];
  c += cos * u + sin * v;
  f += -sin * u + cos * v;
  return affine(image, { matrix: [cos, sin, c, -sin, cos, f], ...size, filter, fill });
}

export interface AffineMatrixOptions extends Size {
  /** Clockwise, as in torchvision's `affine`. Default: 0. */
  readonly degrees?: number | undefined;
  /** Pixels to the right and down, after everything else. Default: none. */
  readonly translate?: readonly [x: number, y: number] | undefined;
  /** Default: 1. */
  readonly scale?: number | undefined;
  /** Degrees; one number shears along x. Default: 0. */
  readonly shear?: number | readonly [x: number, y: number] | undefined;
  /** What stays in place. Default: the middle of `width` x `height`. */
  readonly center?: readonly [x: number, y: number] | undefined;
}

/** The matrix for `affine`: the inverse of translate * centre * rotate * shear * scale * centre back, torchvision's order. */
export function affineMatrix(options: AffineMatrixOptions): AffineMatrix {
  const { width, height, degrees = 0, translate = [0, 0], scale = 1, shear = 0 } = options;
  const { center = [width / 2, height / 2] } = options;
  const [shearX, shearY] = typeof shear === 'number' ? [shear, 0] : shear;
  const numbers = [degrees, ...translate, scale, shearX, shearY, ...center];
  if (!numbers.every(Number.isFinite) || scale <= 0) {
    throw new ImageError(
      'argument',
      'affineMatrix: degrees, translate, shear and center are finite numbers, and scale is above 0',
    );
  }
  const radians = Math.PI / 180;
  const [turn, sx, sy] = [degrees * radians, shearX * radians, shearY * radians];
  const a = Math.cos(turn - sy) / Math.cos(sy);
  const b = (-Math.cos(turn - sy) * Math.tan(sx)) / Math.cos(sy) - Math.sin(turn);
  const c = Math.sin(turn - sy) / Math.cos(sy);
  const d = (-Math.sin(turn - sy) * Math.tan(sx)) / Math.cos(sy) + Math.cos(turn);
  const [m0, m1, m3, m4] = [d / scale, -b / scale, -c / scale, a / scale];
  const [x, y] = [-center[0] - translate[0], -center[1] - translate[1]];
  return [m0, m1, m0 * x + m1 * y + center[0], m3, m4, m3 * x + m4 * y + center[1]];
}
