// What peak.mjs times: each case plans into an encoder and says how many floating-point operations the op is worth.

import {
  chooseConv,
  filterForm,
  filterFormBytes,
  planConv2d,
  planFilterForm,
} from '../src/kernels/conv.ts';
import { planWinogradConv, winogradFilterBytes } from '../src/kernels/winograd.ts';
import { planMatmul, planMatmulPacked } from '../src/kernels/gemm.ts';
import { panelBytes } from '../src/kernels/pack.ts';

function matmul(m, n, k, options = {}) {
  return (e) => {
    planMatmul(e, {
      a: e.random(m * k),
      b: e.random(k * n),
      y: e.random(m * n),
      m,
      n,
      k,
      ...options,
    });
    return 2 * m * n * k;
  };
}

function packed(m, n, k) {
  return (e) => {
    const factor = e.random(panelBytes(k, n) / 4);
    planMatmulPacked(e, { a: e.random(m * k), packed: factor, y: e.random(m * n), m, n, k });
    return 2 * m * n * k;
  };
}

function geometryOf(channels, outputs, size, kernel, stride = 1, batch = 1) {
  const padding = kernel >> 1;
  const length = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return {
    batch,
    size: [size, size],
    channels,
    outputSize: [length, length],
    outputs,
    kernelSize: [kernel, kernel],
    stride: [stride, stride],
    padding: [padding, padding, padding, padding],
    dilation: [1, 1],
    lhsDilation: [1, 1],
    groups: 1,
  };
}

/** By the algorithm named, or by the one that is chosen. */
function conv(geometry, algorithm = chooseConv(geometry, 'fast')) {
  const { batch, channels, outputs, size, outputSize, kernelSize } = geometry;
  const macs =
    batch * outputSize[0] * outputSize[1] * outputs * channels * kernelSize[0] * kernelSize[1];
  return (e) => {
    const form = filterForm(algorithm);
    planConv2d(e, {
      geometry,
      algorithm,
      x: e.random(batch * size[0] * size[1] * channels),
      filter: e.random(filterFormBytes(geometry, form) / 4),
      y: e.random(batch * outputSize[0] * outputSize[1] * outputs),
      bias: e.random(outputs),
      clamp: [0, Infinity],
    });
    return 2 * macs;
  };
}

/** By one of the ways that Winograd tiles can go. */
function winograd(geometry, m, way) {
  const { batch, channels, outputs, size, outputSize } = geometry;
  return (e) => {
    const count = batch * outputSize[0] * outputSize[1] * outputs;
    planWinogradConv(e, {
      m,
      geometry,
      x: e.random(batch * size[0] * size[1] * channels),
      filter: e.random(winogradFilterBytes(m, channels, outputs) / 4),
      y: e.random(count),
      bias: e.random(outputs),
      clamp: [0, Infinity],
      way,
    });
    return 2 * count * channels * 9;
  };
}

/** Packing a filter, counted as one operation an element. */
function packing(geometry, name) {
  const { channels, outputs, kernelSize } = geometry;
  const elements = outputs * channels * kernelSize[0] * kernelSize[1];
  return (e) => {
    const to = e.random(filterFormBytes(geometry, name) / 4);
    planFilterForm(e, { geometry, form: name, filter: e.random(elements), to });
    return elements;
  };
}

const maps = {
  '64-64-56': [64, 64, 56],
  '128-128-28': [128, 128, 28],
  '256-256-14': [256, 256, 14],
  '512-512-7': [512, 512, 7],
  '16-16-32': [16, 16, 32],
};
const by3x3 = Object.fromEntries(
  Object.entries(maps).flatMap(([name, [channels, outputs, size]]) =>
    ['indirect', 'winograd4', 'winograd2'].map((algorithm) => [
      `conv3x3-${name} ${algorithm}`,
      conv(geometryOf(channels, outputs, size, 3), algorithm),
    ]),
  ),
);

const byWay = Object.fromEntries(
  Object.entries(maps).flatMap(([name, [channels, outputs, size]]) =>
    [4, 2].flatMap((m) =>
      ['fused', 'phases'].map((way) => [
        `ways-${name} F${m} ${way}`,
        winograd(geometryOf(channels, outputs, size, 3), m, way),
      ]),
    ),
  ),
);

export const cases = {
  ...by3x3,
  ...byWay,
  'transform F4 128-128': packing(geometryOf(128, 128, 28, 3), 'winograd4'),
  'conv1x1-256-64-56': conv(geometryOf(256, 64, 56, 1)),
  'conv1x1s2-256-512-56': conv(geometryOf(256, 512, 56, 1, 2)),
  'conv3x3s2-64-128-56': conv(geometryOf(64, 128, 56, 3, 2)),
  'conv7x7s2-3-64-224': conv(geometryOf(3, 64, 224, 7, 2)),
  'conv3x3s2-3-32-224': conv(geometryOf(3, 32, 224, 3, 2)),
  'conv5x5-1-6-28 (b64)': conv(geometryOf(1, 6, 28, 5, 1, 64)),
  'conv5x5-6-16-14 (b64)': conv(geometryOf(6, 16, 14, 5, 1, 64)),
  'pack 3x3-128-128': packing(geometryOf(128, 128, 28, 3), 'panels'),
  'gemm-128': matmul(128, 128, 128),
  'gemm-512': matmul(512, 512, 512),
  'gemm-512-packed': packed(512, 512, 512),
  'gemm-512-nt': matmul(512, 512, 512, { transposeB: true }),
  'gemm-512-tn': matmul(512, 512, 512, { transposeA: true }),
  'gemm-1024': matmul(1024, 1024, 1024),
  'gemm-32x1024x1024': matmul(32, 1024, 1024),
  'gemm-32x2048x512': matmul(32, 2048, 512),
  'gemm-32x1000x512': matmul(32, 1000, 512),
  'gemm-15x1024x1024': matmul(15, 1024, 1024),
  'gemm-4x512x512': matmul(4, 512, 512),
  'gemm-15x512x512': matmul(15, 512, 512),
  'gemm-16x512x512': matmul(16, 512, 512),
  'gemm-24x512x512': matmul(24, 512, 512),
  'gemm-lenet-64x400x120': packed(64, 120, 400),
  'gemm-lenet-64x400x120-nt': matmul(64, 120, 400, { transposeB: true }),
  'gemm-lenet-64x84x10-nt': matmul(64, 10, 84, { transposeB: true }),
  'gemm-lenet-dw-120x64x400': matmul(120, 400, 64, { transposeA: true }),
  'gemm-lenet-dx-64x120x400': matmul(64, 400, 120),
  'gemm-1x1024x1024': packed(1, 1024, 1024),
  'gemm-heads-12x196x64x196': (e) => {
    const batch = [{ size: 12, a: 196 * 64, b: 196 * 64 }];
    planMatmul(e, {
      a: e.random(12 * 196 * 64),
      b: e.random(12 * 196 * 64),
      y: e.random(12 * 196 * 196),
      m: 196,
      n: 196,
      k: 64,
      transposeB: true,
      batch,
    });
    return 2 * 12 * 196 * 196 * 64;
  },
};
