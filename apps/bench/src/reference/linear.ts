// Matrix products and convolutions in float64, written to be obviously right.

/** Row-major square matrices. */
export function gemm(a: Float32Array, b: Float32Array, size: number): Float64Array {
  const c = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      const factor = a[i * size + k]!;
      for (let j = 0; j < size; j++) c[i * size + j]! += factor * b[k * size + j]!;
    }
  }
  return c;
}

interface ConvolutionSizes {
  readonly channels: number;
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly size: number;
}

/** One square image [C, H, W] with filters [O, C, k, k]. */
export function convolution(
  x: Float32Array | Float64Array,
  weight: Float32Array,
  sizes: ConvolutionSizes,
): Float64Array {
  const { channels, filters, kernelSize, stride, padding, size } = sizes;
  const outputSize = Math.floor((size + 2 * padding - kernelSize) / stride) + 1;
  const y = new Float64Array(filters * outputSize ** 2);
  for (let o = 0; o < filters; o++) {
    for (let c = 0; c < channels; c++) {
      for (let ky = 0; ky < kernelSize; ky++) {
        for (let kx = 0; kx < kernelSize; kx++) {
          const factor = weight[((o * channels + c) * kernelSize + ky) * kernelSize + kx]!;
          for (let oy = 0; oy < outputSize; oy++) {
            const iy = oy * stride + ky - padding;
            if (iy < 0 || iy >= size) continue;
            for (let ox = 0; ox < outputSize; ox++) {
              const ix = ox * stride + kx - padding;
              if (ix < 0 || ix >= size) continue;
              y[(o * outputSize + oy) * outputSize + ox]! +=
                factor * x[(c * size + iy) * size + ix]!;
            }
          }
        }
      }
    }
  }
  return y;
}

/** Each channel of one square image with its own kernel, stride 1, same size. */
export function depthwise(
  x: Float32Array | Float64Array,
  weight: Float32Array,
  {
    channels,
    kernelSize,
    size,
  }: { readonly channels: number; readonly kernelSize: number; readonly size: number },
): Float64Array {
  const y = new Float64Array(channels * size * size);
  const one = { channels: 1, filters: 1, kernelSize, stride: 1, padding: kernelSize >> 1, size };
  for (let c = 0; c < channels; c++) {
    const image = x.subarray(c * size * size, (c + 1) * size * size);
    y.set(
      convolution(image, weight.subarray(c * kernelSize ** 2, (c + 1) * kernelSize ** 2), one),
      c * size * size,
    );
  }
  return y;
}

/** Adds a number a channel, in place. */
function addBias(y: Float64Array, bias: Float32Array): Float64Array {
  const plane = y.length / bias.length;
  for (let i = 0; i < y.length; i++) y[i]! += bias[Math.floor(i / plane)]!;
  return y;
}

const relu6 = (x: Float64Array): Float64Array => x.map((v) => Math.min(Math.max(v, 0), 6));

/** 1x1, 3x3 depthwise, 1x1, with ReLU6 after the first two (Sandler et al. 2018, arXiv:1801.04381, without the shortcut). */
export function mobileNetBlock(
  inputs: ReadonlyMap<string, Float32Array>,
  {
    channels,
    expanded,
    size,
  }: { readonly channels: number; readonly expanded: number; readonly size: number },
): Float64Array {
  const of = (name: string): Float32Array => inputs.get(name)!;
  const pointwise = { kernelSize: 1, stride: 1, padding: 0, size };
  const into = { ...pointwise, channels, filters: expanded };
  const wide = relu6(addBias(convolution(of('x'), of('expand'), into), of('expandBias')));
  const spatial = { channels: expanded, kernelSize: 3, size };
  const mixed = relu6(addBias(depthwise(wide, of('depthwise'), spatial), of('depthwiseBias')));
  const back = { ...pointwise, channels: expanded, filters: channels };
  return addBias(convolution(mixed, of('project'), back), of('projectBias'));
}
