// Convolutions and matrix products on texels of four channels. A thread computes up to eight neighbours of a row for four output
// channels, into as many textures: a tap's filters are read once for all of them, and reads are what costs here. A second kernel
// puts the neighbours side by side.

import type { FusedActivation, Pair, Shape } from '@convoke/backend-api';

import type { Source } from '../adapter.ts';
import type { Buffer } from '../device.ts';
import { blocksOf, coordinates, gather, LANE, texelsOf } from '../images.ts';
import type { Kit, Value } from '../kernel.ts';

/** Filters [O, I, kH, kW] in any order of a flat tensor. */
export interface FilterView {
  readonly outputs: number;
  readonly inputs: number;
  readonly kernel: Pair;
  /** Distances of outputs, inputs, rows, columns; and of the first element from the start. */
  readonly strides: readonly [number, number, number, number];
  readonly offset: number;
  /** Sets of filters, one after another. */
  readonly sets?: number;
}

/** Sets, blocks of outputs, blocks of inputs, rows, columns, inputs of a block: texels of four outputs. */
export function packFilters(kit: Kit, { storage }: Value, view: FilterView): Buffer {
  const { outputs, inputs, kernel, strides, offset, sets = 1 } = view;
  const key = `filters ${JSON.stringify(view)}`;
  const known = storage.filters.get(key);
  if (known) return known;
  const [outBlocks, inBlocks] = [blocksOf(outputs), blocksOf(inputs)];
  const count = sets * outBlocks * inBlocks * kernel[0] * kernel[1] * 4;
  const packed = kit.shared(key, kit.texels(count), [kit.flat({ storage })], () => ({
    arguments: ['filter'],
    glsl: `vec4 compute() {
${coordinates({ set: sets, outBlock: outBlocks, inBlock: inBlocks, ky: kernel[0], kx: kernel[1], own: 4 })}
int o = outBlock * 4;
int c = inBlock * 4 + own;
if (c >= ${inputs}) return vec4(0.0);
int at = ${offset} + set * ${outputs * inputs * kernel[0] * kernel[1]} + o * ${strides[0]} + c * ${strides[1]} + ky * (${strides[2]}) + kx * (${strides[3]});
return ${gather('filter', 'at', strides[0], 'o', outputs)};
}`,
  }));
  storage.filters.set(key, packed);
  return packed;
}

export interface Correlation {
  /** [N, C, H, W] and [N, O, rows, columns]. */
  readonly input: Shape;
  readonly output: Shape;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  /** Above and to the left. */
  readonly padding: Pair;
  /** Or each channel by its own filter, whose channels are then texels as an image's are. */
  readonly groups: number | 'depthwise';
  /** Whether each sample has a set of filters of its own. */
  readonly ownFilters?: boolean;
}

export interface Finish {
  readonly bias: Value | null;
  readonly residual: Value | null;
  readonly activation: FusedActivation;
}

const activations: Readonly<Record<FusedActivation, (s: string) => string>> = {
  none: (s) => s,
  relu: (s) => `max(${s}, 0.0)`,
  relu6: (s) => `clamp(${s}, 0.0, 6.0)`,
};

/**
 * Pixels of a row that a thread computes: few threads, without threads that compute little. Eight of single taps share their
 * reads best (1.6 times as fast as four in a product of 512 x 512); of larger filters they take too many registers.
 */
function partsOf(kit: Kit, { kernel, output }: Correlation): number {
  const most = kernel[0] * kernel[1] === 1 ? kit.device.maxParts : 4;
  const columns = output[3]!;
  return Math.ceil(columns / Math.ceil(columns / most));
}

/** Whether the columns that a thread reads are a run of a texture's row. */
function inRuns(used: readonly number[], parts: number, width: number): boolean {
  return [1, 2, 4, 8].includes(parts) && used.length === parts && width % parts === 0;
}

/** Statements and expressions for the input's columns that threads read. */
function columnReads(
  { input, stride, padding }: Correlation,
  used: readonly number[],
  threads: number,
  parts: number,
): { before: string; reads: string } {
  const width = input[3]!;
  let before = `int left = thread * ${parts * stride[1]} - ${padding[1]};\n`;
  let reads = '';
  if (inRuns(used, parts, width) && stride[1] === 1 && padding[1] === 0) {
    reads = 'ivec2 run = x_start(row + left);\n';
    for (const column of used) reads += `vec4 x${column} = x_from(run, ${column});\n`;
    return { before, reads };
  }
  for (const column of used) {
    const from = column - padding[1];
    const last = (threads - 1) * parts * stride[1] + from;
    const inside = from >= 0 && last < width;
    before += `int k${column} = left + ${column};\n`;
    if (!inside) {
      before += `bool in${column} = k${column} >= 0 && k${column} < ${width};\n`;
      before += `k${column} = clamp(k${column}, 0, ${width - 1});\n`;
    }
    reads += `vec4 x${column} = x_at(row + k${column});\n`;
    if (!inside) reads += `x${column} = in${column} ? x${column} : vec4(0.0);\n`;
  }
  return { before, reads };
}

function source(correlation: Correlation, parts: number, finish: Finish): Source {
  const { input, output, kernel, stride, dilation, padding, groups, ownFilters } = correlation;
  const [, , height, width] = input as [number, number, number, number];
  const [n, outputs, rows, columns] = output as [number, number, number, number];
  const threads = Math.ceil(columns / parts);
  const [inBlocks, outBlocks] = [blocksOf(input[1]!), blocksOf(outputs)];
  const depthwise = groups === 'depthwise';
  const groupBlocks = depthwise ? 1 : inBlocks / groups;
  const tap = depthwise ? 1 : 4;
  const taps = kernel[0] * kernel[1] * tap;
  const all = Array.from({ length: parts }, (_, part) => part);
  const columnOf = (part: number, kx: number): number => part * stride[1] + kx * dilation[1];
  const offsets = Array.from({ length: kernel[1] }, (_, kx) => kx);
  const used = [...new Set(all.flatMap((part) => offsets.map((kx) => columnOf(part, kx))))];
  const { before, reads } = columnReads(correlation, used, threads, parts);
  const products = offsets
    .map(
      (kx) => `{
${depthwise ? `vec4 m = filters_at(f + ${kx})` : `ivec2 set = filters_start(f + ${kx * 4});\nmat4 m = mat4(${[0, 1, 2, 3].map((own) => `filters_from(set, ${own})`).join(', ')})`};
${all.map((part) => `s${part} += m * x${columnOf(part, kx)};`).join('\n')}
}`,
    )
    .join('\n');
  const group = depthwise ? ' + block' : ` + block / ${outBlocks / groups} * ${groupBlocks}`;
  const set = ownFilters ? `n * ${outBlocks * groupBlocks * taps} + ` : '';
  const results = all.map((part) => {
    const residual = finish.residual
      ? ` + residual_at(((n * ${outBlocks} + block) * ${rows} + y) * ${columns} + min(thread * ${parts} + ${part}, ${columns - 1}))`
      : '';
    const sum = `s${part}${finish.bias ? ' + bias' : ''}${residual}`;
    return activations[finish.activation](sum);
  });
  return {
    arguments: [
      'x',
      'filters',
      ...(finish.bias ? ['biases'] : []),
      ...(finish.residual ? ['residual'] : []),
    ],
    parts,
    glsl: `vec4 compute() {
${coordinates({ n, block: outBlocks, y: rows, thread: threads })}
${before}${all.map((part) => `vec4 s${part} = vec4(0.0);\n`).join('')}int first = n * ${inBlocks}${group};
int filters = ${set}block * ${groupBlocks * taps};
for (int ky = 0; ky < ${kernel[0]}; ky++) {
int iy = y * ${stride[0]} + ky * ${dilation[0]} - (${padding[0]});
if (iy >= 0 && iy < ${height}) {
for (int c = 0; c < ${groupBlocks}; c++) {
int row = ((first + c) * ${height} + iy) * ${width};
int f = filters + c * ${taps} + ky * ${kernel[1] * tap};
${reads}${products}
}
}
}
${finish.bias ? `vec4 bias = ${gather('biases', 'block * 4', 1, 'block * 4', outputs)};\n` : ''}${all
      .slice(1)
      .map((part) => `subKernelResult_part${part} = ${results[part]};\n`)
      .join('')}return ${results[0]};
}`,
  };
}

const plain: Finish = { bias: null, residual: null, activation: 'none' };

/** Pixels of an image [N, O, rows, columns] dealt out to textures, one after another. */
export interface Dealt {
  readonly parts: readonly Buffer[];
  readonly shape: Shape;
}

export function correlate(
  kit: Kit,
  step: string,
  x: Buffer,
  filters: Buffer,
  correlation: Correlation,
  finish: Finish = plain,
): Dealt {
  const shape = correlation.output;
  const columns = shape[3]!;
  const parts = partsOf(kit, correlation);
  const layout = kit.texels(texelsOf([...shape.slice(0, 3), Math.ceil(columns / parts)]));
  const values = [x, filters];
  if (finish.bias) values.push(kit.flat(finish.bias));
  if (finish.residual) values.push(kit.image(finish.residual));
  const made = kit.launchParts(step, layout, values, () => source(correlation, parts, finish));
  return { parts: made, shape };
}

/** Statements that read a texel of dealt pixels into `v`: `row` of the image's rows, and `x`. */
function dealtRead(parts: number, columns: number): string {
  const at = `row * ${Math.ceil(columns / parts)} + x / ${parts}`;
  let code = `int part = x % ${parts};\nint at = ${at};\nvec4 v;\n`;
  for (let part = 0; part < parts; part++) {
    const test = part === parts - 1 ? '' : `if (part == ${part}) `;
    code += `${part === 0 ? '' : 'else '}${test}v = p${part}_at(at);\n`;
  }
  return code;
}

const partNames = (parts: readonly Buffer[]): string[] => parts.map((_, part) => `p${part}`);

/** The image as it is held. */
export function gatherImage(kit: Kit, { parts, shape }: Dealt): Buffer {
  if (parts.length === 1) return parts[0]!;
  for (const part of parts) kit.passing(part);
  return kit.launch('gather', kit.texels(texelsOf(shape)), parts, () => ({
    arguments: partNames(parts),
    glsl: `vec4 compute() {
${coordinates({ row: 1, x: shape[3]! })}
${dealtRead(parts.length, shape[3]!)}return v;
}`,
  }));
}

/** Flat matrices [N, W, C] of images [N, C, 1, W]. */
export function gatherMatrices(kit: Kit, { parts, shape }: Dealt): Buffer {
  const [n, columns, , rows] = shape as [number, number, number, number];
  for (const part of parts) kit.passing(part);
  return kit.launch('gather', kit.layout([n, rows, columns]), parts, () => ({
    arguments: partNames(parts),
    glsl: `${LANE}
float compute() {
${coordinates({ n, x: rows, column: columns })}
int row = n * ${blocksOf(columns)} + column / 4;
${dealtRead(parts.length, rows)}return lane(v, column % 4);
}`,
  }));
}
