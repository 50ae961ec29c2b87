// Pictures as pixel buffers, and what is done to them on the way to a network and back. Portable: no file is read here; `./node`
// and `./browser` decode and encode.

export { Image, type Channels, type ImageInit, type PixelData, type Size } from './image.ts';
export { ImageError, type ImageErrorCode } from './errors.ts';

export {
  resize,
  resizeShorterSide,
  type ResizeFilter,
  type ResizeOptions,
  type ShorterSideOptions,
} from './geometry/resize.ts';
export {
  centerCrop,
  crop,
  fiveCrop,
  tenCrop,
  type CropOptions,
  type TenCropOptions,
} from './geometry/crop.ts';
export { pad, type PadMode, type PadOptions } from './geometry/pad.ts';
export { flipHorizontal, flipVertical, rotateQuarters, transpose } from './geometry/flip.ts';
export {
  affine,
  affineMatrix,
  rotate,
  type AffineFilter,
  type AffineMatrix,
  type AffineMatrixOptions,
  type AffineOptions,
  type RotateOptions,
} from './geometry/affine.ts';

export { brightness, contrast, saturation, sharpness } from './colour/adjust.ts';
export {
  autocontrast,
  equalize,
  gamma,
  invert,
  posterize,
  solarize,
  type AutocontrastOptions,
  type GammaOptions,
} from './colour/tone.ts';
export { hsvToRgb, hue, rgbToHsv, rgbToYcbcr, ycbcrToRgb } from './colour/spaces.ts';
export { grayscale, toBytes, toRgb } from './colour/gray.ts';
export { compositeAlpha, type CompositeOptions } from './colour/alpha.ts';

export {
  fromBatch,
  fromPlanes,
  toBatch,
  toPlanes,
  type ImageBatch,
  type PlaneOptions,
  type Planes,
} from './floats/planes.ts';
export { huePlanes } from './floats/hue.ts';
export { gaussianBlur, gaussianBlurPlanes, type GaussianBlurOptions } from './floats/blur.ts';
export {
  applyPreprocess,
  IMAGENET_MEAN,
  IMAGENET_STD,
  imagenetPreprocess,
  preprocessedSize,
  signedPreprocess,
  type ImagenetPreprocessOptions,
  type Preprocess,
  type PreprocessResize,
  type SignedPreprocessOptions,
} from './floats/preprocess.ts';

export { filterPlanes, type FilterOptions } from './filters/filter.ts';
export {
  gaussianKernel,
  kernel,
  KERNELS,
  type FilterKernel,
  type KernelName,
} from './filters/kernels.ts';
