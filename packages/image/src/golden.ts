// Runs golden cases of pictures: Pillow's and torchvision's results against ours. A case is known by its content; the shapes
// below are the whole agreement with whoever reads the files. Pictures are computed on the host: no backend takes part.

import {
  affine,
  autocontrast,
  brightness,
  contrast,
  equalize,
  filterPlanes,
  gamma,
  gaussianBlurPlanes,
  grayscale,
  hue,
  huePlanes,
  Image,
  ImageError,
  invert,
  posterize,
  resize,
  rotate,
  saturation,
  sharpness,
  solarize,
  tenCrop,
  toPlanes,
  type AffineFilter,
  type AffineMatrix,
  type Channels,
  type Planes,
  type ResizeFilter,
} from './index.ts';

/** `[height, width, channels]`; 8-bit values or float32, little-endian, in base64. */
export interface GoldenPicture {
  readonly shape: readonly number[];
  readonly u8_b64?: string;
  readonly f32_b64?: string;
}

export interface GoldenCase {
  readonly id: string;
  readonly op?: unknown;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly [key: string]: unknown;
}

export interface TensorResult {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
  /** What is wrong with the shape. */
  readonly reason?: string;
}

export interface CaseResult {
  readonly tensors: readonly TensorResult[];
}

export type CaseRunner = () => Promise<CaseResult>;

type Result = Image | Planes;
type Attributes = GoldenCase['attrs'];

interface Operation {
  run(image: Image, attrs: Attributes): Result;
  /** Of float results; those of 8 bits may differ by a level. */
  readonly tolerance?: number;
}

const size = (attrs: Attributes): { width: number; height: number } => {
  const [height, width] = attrs['size'] as [number, number];
  return { width, height };
};
const factor = (attrs: Attributes): number => Number(attrs['factor']);
const filter = (attrs: Attributes): AffineFilter => attrs['filter'] as AffineFilter;
const UNIT = { scale: 1 };

const operations: Readonly<Record<string, Operation>> = {
  resize: {
    run: (image, attrs) =>
      resize(image, {
        ...size(attrs),
        filter: attrs['filter'] as ResizeFilter,
        box: (attrs['box'] as [number, number, number, number] | null) ?? undefined,
      }),
  },
  rotate: {
    run: (image, attrs) =>
      rotate(image, {
        degrees: Number(attrs['degrees_counterclockwise']),
        expand: attrs['expand'] === true,
        fill: Number(attrs['fill']),
        filter: filter(attrs),
      }),
  },
  affine_inverse: {
    run: (image, attrs) =>
      affine(image, {
        matrix: attrs['matrix_output_to_input'] as unknown as AffineMatrix,
        ...size(attrs),
        fill: Number(attrs['fill']),
        filter: filter(attrs),
      }),
  },
  brightness: { run: (image, attrs) => brightness(image, factor(attrs)) },
  contrast: { run: (image, attrs) => contrast(image, factor(attrs)) },
  saturation: { run: (image, attrs) => saturation(image, factor(attrs)) },
  sharpness: { run: (image, attrs) => sharpness(image, factor(attrs)) },
  hue: { run: (image, attrs) => hue(image, Number(attrs['turns'])) },
  hue_float: {
    run: (image, attrs) => huePlanes(toPlanes(image), Number(attrs['turns'])),
    tolerance: 1e-5,
  },
  gamma: {
    run: (image, attrs) =>
      gamma(image, { gamma: Number(attrs['gamma']), gain: Number(attrs['gain']) }),
  },
  grayscale: { run: (image) => grayscale(image) },
  equalize: { run: (image) => equalize(image) },
  autocontrast: { run: (image, attrs) => autocontrast(image, { cutoff: Number(attrs['cutoff']) }) },
  invert: { run: (image) => invert(image) },
  posterize: { run: (image, attrs) => posterize(image, Number(attrs['bits'])) },
  solarize: { run: (image, attrs) => solarize(image, Number(attrs['threshold'])) },
  gaussian_blur_float: {
    run: (image, attrs) =>
      gaussianBlurPlanes(toPlanes(image), {
        kernelSize: Number(attrs['kernel']),
        sigma: Number(attrs['sigma']),
      }),
    tolerance: 1e-5,
  },
  filter: {
    run: (image, attrs) => {
      const weights = attrs['kernel'] as number[];
      const side = Math.sqrt(weights.length);
      return filterPlanes(toPlanes(image, UNIT), {
        kernel: { height: side, width: side, weights },
        absolute: attrs['absolute'] === true,
      });
    },
    tolerance: 1e-3,
  },
  ten_crop: { run: (image, attrs) => tenCrop(image, size(attrs))[Number(attrs['index'])]! },
};

/** How to run a case, or null for one that is no operation on a picture. */
export function recognize(case_: GoldenCase): CaseRunner | null {
  const { id, op, attrs, input, output } = case_;
  if (typeof op !== 'string' || !isPicture(input) || !isPicture(output)) return null;
  const operation = Object.hasOwn(operations, op) ? operations[op] : undefined;
  if (!operation) return null;
  return async () => {
    const [height, width, channels] = input.shape as [number, number, Channels];
    const data = bytesOf(input.u8_b64, id);
    const actual = operation.run(new Image({ width, height, channels, data }), attrs);
    const nearest = (op === 'rotate' || op === 'affine_inverse') && attrs['filter'] === 'nearest';
    return { tensors: [compare(actual, output, { id, nearest, tolerance: operation.tolerance })] };
  };
}

function isPicture(value: unknown): value is GoldenPicture {
  if (typeof value !== 'object' || value === null) return false;
  const { shape, u8_b64: bytes, f32_b64: floats } = value as Partial<GoldenPicture>;
  return Array.isArray(shape) && shape.length === 3 && typeof (bytes ?? floats) === 'string';
}

function bytesOf(base64: string | undefined, id: string): Uint8Array<ArrayBuffer> {
  if (base64 === undefined) throw new ImageError('format', `${id}: the case lacks its values`);
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** `[H, W, C]` of either kind. */
function interleaved(result: Result): { shape: number[]; values: ArrayLike<number> } {
  const { height, width, channels, data } = result;
  const shape = [height, width, channels];
  if (result instanceof Image) return { shape, values: data };
  const length = height * width;
  return {
    shape,
    values: Float64Array.from(
      data,
      (_, i) => data[(i % channels) * length + ((i / channels) | 0)]!,
    ),
  };
}

function compare(
  actual: Result,
  expected: GoldenPicture,
  { id, nearest, tolerance = 1 }: { id: string; nearest: boolean; tolerance?: number | undefined },
): TensorResult {
  const { shape, values } = interleaved(actual);
  const name = 'output';
  if (shape.join() !== expected.shape.join()) {
    const reason = `the shape is [${shape.join(', ')}], not [${expected.shape.join(', ')}]`;
    return { name, error: Infinity, tolerance, reason };
  }
  const bytes = bytesOf(expected.u8_b64 ?? expected.f32_b64, id);
  const reference: ArrayLike<number> =
    expected.u8_b64 === undefined ? new Float32Array(bytes.buffer) : bytes;
  if (nearest) {
    const channels = shape[2]!;
    const pixels = values.length / channels;
    const wrong = new Set<number>();
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== reference[i]) wrong.add(Math.floor(i / channels));
    }
    return { name: 'share of pixels', error: wrong.size / pixels, tolerance: 0.005 };
  }
  let error = 0;
  for (let i = 0; i < values.length; i++) {
    const difference = Math.abs(values[i]! - reference[i]!);
    error = Math.max(error, Number.isNaN(difference) ? Infinity : difference);
  }
  return { name, error, tolerance };
}
