// Gradients of convolutions with respect to their filters, from packed images. A thread sums the products of four input channels
// with four output channels at one tap, over some of the samples and rows; a second kernel sums the threads' parts.

import { sizeOf, type Conv2dAttributes, type Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { blocksOf, coordinates, LANE } from '../images.ts';
import type { Kit } from '../kernel.ts';

/** So many threads keep a GPU busy. */
const THREADS = 8192;

/** How samples and rows are dealt out to `threads` threads each. */
export interface Chunks {
  readonly count: number;
  /** Statements that define the first sample and row and those after the last, from `chunk`. */
  readonly code: string;
}

export function chunksOf(samples: number, rows: number, threads: number): Chunks {
  const wanted = Math.ceil(THREADS / threads);
  const perSamples = Math.max(1, Math.floor(samples / wanted));
  const sampleChunks = Math.ceil(samples / perSamples);
  const perRows = Math.ceil(rows / Math.min(rows, Math.ceil(wanted / sampleChunks)));
  const rowChunks = Math.ceil(rows / perRows);
  return {
    count: sampleChunks * rowChunks,
    code: `int n0 = chunk / ${rowChunks} * ${perSamples};
int n1 = min(n0 + ${perSamples}, ${samples});
int y0 = chunk % ${rowChunks} * ${perRows};
int y1 = min(y0 + ${perRows}, ${rows});
`,
  };
}

/** Statements that narrow `${from}`..`${to}` to outputs whose tap, `low` before the first input, lies inside. */
function narrow(from: string, to: string, low: string, stride: number, length: number): string {
  return `${from} = max(${from}, ${low} > 0 ? (${low} + ${stride - 1}) / ${stride} : 0);
${to} = min(${to}, ${length - 1} + ${low} < 0 ? 0 : (${length - 1} + ${low}) / ${stride} + 1);
`;
}

/** A texel of one of four outputs. */
const DEALT = `vec4 dealt(int part, int i) {
if (part < 2) return part == 0 ? p0_at(i) : p1_at(i);
return part == 2 ? p2_at(i) : p3_at(i);
}
`;

export interface FilterGradientShapes {
  readonly x: Shape;
  readonly gradient: Shape;
  /** [O, I/g, kH, kW] */
  readonly filter: Shape;
}

export function packedFilterGradient(
  kit: Kit,
  x: Buffer,
  gradient: Buffer,
  { stride, padding, rhsDilation, groups }: Conv2dAttributes,
  shapes: FilterGradientShapes,
): Buffer {
  const [samples, channels, height, width] = shapes.x as [number, number, number, number];
  const [, outputs, rows, columns] = shapes.gradient as [number, number, number, number];
  const [, inputs, tall, wide] = shapes.filter as [number, number, number, number];
  const depthwise = inputs === 1 && groups === channels && groups > 1;
  const [inBlocks, outBlocks] = [blocksOf(inputs), blocksOf(outputs)];
  const taps = tall * wide;
  const chunks = chunksOf(samples, rows, outBlocks * inBlocks * taps);
  const group = depthwise ? ' + outBlock' : ` + outBlock / ${outBlocks / groups} * ${inBlocks}`;
  const lanes = depthwise ? [0] : [0, 1, 2, 3];
  const layout = kit.texels(chunks.count * outBlocks * inBlocks * taps);
  const parts = kit.launchParts('products', layout, [x, gradient], () => ({
    arguments: ['x', 'gradient'],
    parts: lanes.length,
    glsl: `vec4 compute() {
${coordinates({ chunk: chunks.count, outBlock: outBlocks, inBlock: inBlocks, ky: tall, kx: wide })}
${chunks.code}int x0 = 0;
int x1 = ${columns};
int top = ${padding[0]} - ky * ${rhsDilation[0]};
int left = ${padding[2]} - kx * ${rhsDilation[1]};
${narrow('y0', 'y1', 'top', stride[0], height)}${narrow('x0', 'x1', 'left', stride[1], width)}${lanes.map((lane) => `vec4 s${lane} = vec4(0.0);\n`).join('')}for (int n = n0; n < n1; n++) {
for (int y = y0; y < y1; y++) {
int from = ((n * ${blocksOf(channels)} + inBlock${group}) * ${height} + y * ${stride[0]} - top) * ${width} - left;
int to = ((n * ${outBlocks} + outBlock) * ${rows} + y) * ${columns};
for (int x = x0; x < x1; x++) {
vec4 v = x_at(from + x * ${stride[1]});
vec4 g = gradient_at(to + x);
${lanes.map((lane) => `s${lane} += g${depthwise ? '' : `[${lane}]`} * v;\n`).join('')}}
}
}
${lanes
  .slice(1)
  .map((lane) => `subKernelResult_part${lane} = s${lane};\n`)
  .join('')}return s0;
}`,
  }));
  for (const part of parts) kit.passing(part);
  return kit.launch('sum', kit.layout(shapes.filter), parts, () => ({
    arguments: lanes.map((lane) => `p${lane}`),
    glsl: `${LANE}
${depthwise ? '' : DEALT}float compute() {
${coordinates({ o: outputs, c: inputs, at: taps })}
float s = 0.0;
for (int chunk = 0; chunk < ${chunks.count}; chunk++) {
int from = ((chunk * ${outBlocks} + o / 4) * ${inBlocks} + c / 4) * ${taps} + at;
${depthwise ? 's += lane(p0_at(from), o % 4);' : 's += lane(dealt(o % 4, from), c % 4);'}
}
return s;
}`,
  }));
}

/** Whether it has something to sum over. */
export const hasProducts = ({ x, gradient, filter }: FilterGradientShapes): boolean =>
  sizeOf(x) > 0 && sizeOf(gradient) > 0 && sizeOf(filter) > 0;
