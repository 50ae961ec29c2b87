// Windows over images of four channels a texel, and their gradients. A gradient's texel looks for the windows that contain it.

import type { Shape, Window2dAttributes } from '@convoke/backend-api';

import { blocksOf, coordinates, texelsOf } from '../images.ts';
import { literal, type Kit, type Value } from '../kernel.ts';
import { Storage } from '../storage.ts';

/** What a window's sum is divided by: GLSL for `count` before the taps and at each, inside the image or not. */
export interface Divisor {
  readonly start: string;
  readonly each: string;
}

export const fixedDivisor = (value: number): Divisor => ({ start: literal(value), each: '' });

/** Statements for each tap of the output's window at `y`, `x`: `iy`, `ix` are its place, which may lie outside. */
function taps({ kernelSize, stride, padding, dilation }: Window2dAttributes, body: string): string {
  return `for (int ky = 0; ky < ${kernelSize[0]}; ky++) {
int iy = y * ${stride[0]} + ky * ${dilation[0]} - ${padding[0]};
for (int kx = 0; kx < ${kernelSize[1]}; kx++) {
int ix = x * ${stride[1]} + kx * ${dilation[1]} - ${padding[2]};
${body}
}
}`;
}

/** Statements for each window that contains the input's `y`, `x`: `at` is the window's texel. */
function windows(
  { kernelSize, stride, padding, dilation }: Window2dAttributes,
  [, , rows, columns]: Shape,
  body: string,
): string {
  return `for (int ky = 0; ky < ${kernelSize[0]}; ky++) {
int py = y + ${padding[0]} - ky * ${dilation[0]};
if (py >= 0 && py <= ${(rows! - 1) * stride[0]} && py % ${stride[0]} == 0) {
for (int kx = 0; kx < ${kernelSize[1]}; kx++) {
int px = x + ${padding[2]} - kx * ${dilation[1]};
if (px >= 0 && px <= ${(columns! - 1) * stride[1]} && px % ${stride[1]} == 0) {
int at = (plane * ${rows} + py / ${stride[0]}) * ${columns} + px / ${stride[1]};
${body}
}
}
}
}`;
}

const places = (shape: Shape): string => coordinates({ plane: 1, y: shape[2]!, x: shape[3]! });

const inside = ([, , height, width]: Shape): string =>
  `iy >= 0 && iy < ${height} && ix >= 0 && ix < ${width}`;

/** The largest element of each window and its place in the plane. */
export function packedMaximum(
  kit: Kit,
  x: Value,
  attributes: Window2dAttributes,
  output: Shape,
): Storage[] {
  const { shape } = x.spec;
  const [height, width] = shape.slice(2) as [number, number];
  const channels = shape[1]!;
  const first = `plane % ${blocksOf(channels)} * 4`;
  const beyond = [0, 1, 2, 3].map((lane) => `first + ${lane} < ${channels} ? place[${lane}] : 0.0`);
  const made = kit.launchParts(
    'texels',
    kit.texels(texelsOf(output)),
    [kit.image(x), -Infinity],
    () => ({
      arguments: ['x', 'lowest'],
      parts: 2,
      glsl: `vec4 compute() {
${places(output)}vec4 best = vec4(user_lowest);
vec4 place = vec4(-1.0);
${taps(
  attributes,
  `if (${inside(shape)}) {
int own = iy * ${width} + ix;
vec4 v = x_at(plane * ${height * width} + own);
bvec4 more = greaterThan(v, best);
bvec4 none = lessThan(place, vec4(0.0));
bvec4 taken = bvec4(more.x || none.x, more.y || none.y, more.z || none.z, more.w || none.w);
best = mix(best, v, taken);
place = mix(place, vec4(float(own)), taken);
}`,
)}
${channels % 4 === 0 ? '' : `int first = ${first};\nplace = vec4(${beyond.join(', ')});\n`}subKernelResult_part1 = place;
return best;
}`,
    }),
  );
  return made.map((buffer) => Storage.ofImage(buffer, output));
}

export function packedMaximumGradient(
  kit: Kit,
  gradient: Value,
  indices: Value,
  attributes: Window2dAttributes,
  output: Shape,
): Storage {
  const from = [kit.image(gradient), kit.image(indices)];
  const step = `texels ${JSON.stringify(attributes)}`;
  const made = kit.launch(step, kit.texels(texelsOf(output)), from, () => ({
    arguments: ['gradient', 'indices'],
    glsl: `vec4 compute() {
${places(output)}vec4 own = vec4(float(y * ${output[3]} + x));
vec4 s = vec4(0.0);
${windows(
  attributes,
  gradient.spec.shape,
  's += mix(vec4(0.0), gradient_at(at), equal(floor(indices_at(at) + 0.5), own));',
)}
return s;
}`,
  }));
  return Storage.ofImage(made, output);
}

export function packedSum(
  kit: Kit,
  x: Value,
  attributes: Window2dAttributes,
  output: Shape,
  divisor: Divisor,
): Storage {
  const { shape } = x.spec;
  const [height, width] = shape.slice(2) as [number, number];
  const made = kit.launch('texels', kit.texels(texelsOf(output)), [kit.image(x)], () => ({
    arguments: ['x'],
    glsl: `vec4 compute() {
${places(output)}vec4 s = vec4(0.0);
float count = ${divisor.start};
${taps(
  attributes,
  `if (${inside(shape)}) s += x_at((plane * ${height} + iy) * ${width} + ix);\n${divisor.each}`,
)}
return s / count;
}`,
  }));
  return Storage.ofImage(made, output);
}

export function packedSumGradient(
  kit: Kit,
  gradient: Value,
  attributes: Window2dAttributes,
  output: Shape,
): Storage {
  const made = kit.launch('texels', kit.texels(texelsOf(output)), [kit.image(gradient)], () => ({
    arguments: ['gradient'],
    glsl: `vec4 compute() {
${places(output)}vec4 s = vec4(0.0);
${windows(attributes, gradient.spec.shape, 's += gradient_at(at);')}
return s;
}`,
  }));
  return Storage.ofImage(made, output);
}
