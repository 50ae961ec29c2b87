// Images in texels of four channels (NC4HW4): [N, C, H, W] as texels [N, C/4, H, W] one after another, each with channels 4b to
// 4b+3 of a pixel. Channels beyond C hold zeros. Here is what kernels on them are written with, in GLSL, and the kernels that
// make them of flat tensors and back.

import type { Shape } from '@convoke/backend-api';

import type { Source } from './adapter.ts';

export const blocksOf = (channels: number): number => Math.ceil(channels / 4);

export const texelsOf = ([n, channels, height, width]: Shape): number =>
  n! * blocksOf(channels!) * height! * width!;

/** Statements that split `index` into whole numbers below these lengths; the last varies fastest. */
export function coordinates(lengths: Readonly<Record<string, number>>): string {
  let code = 'int rest = index;\n';
  const entries = Object.entries(lengths);
  for (const [i, [name, length]] of entries.toReversed().entries()) {
    const isLast = i === entries.length - 1;
    code += isLast
      ? `int ${name} = rest;\n`
      : `int ${name} = rest % ${length};\nrest /= ${length};\n`;
  }
  return code;
}

/** A texel of four elements of a flat argument, `step` apart from `base` on; `position` numbers the first among `count`. */
export function gather(
  name: string,
  base: string,
  step: number,
  position: string,
  count: number,
): string {
  const lanes = [0, 1, 2, 3].map((lane) => {
    const read = `${name}_at(${base} + ${lane * step})`;
    return count % 4 === 0 || lane === 0
      ? read
      : `(${position} + ${lane} < ${count} ? ${read} : 0.0)`;
  });
  return `vec4(${lanes.join(', ')})`;
}

/** One of a texel's four numbers. */
export const LANE = `float lane(vec4 v, int i) { return i < 2 ? (i == 0 ? v.x : v.y) : (i == 2 ? v.z : v.w); }`;

/** Of a flat tensor. */
export function packImage([, channels, height, width]: Shape): Source {
  const plane = height! * width!;
  return {
    arguments: ['x'],
    glsl: `vec4 compute() {
${coordinates({ n: 1, block: blocksOf(channels!), pixel: plane })}
int at = (n * ${channels} + block * 4) * ${plane} + pixel;
return ${gather('x', 'at', plane, 'block * 4', channels!)};
}`,
  };
}

export function unpackImage([, channels, height, width]: Shape): Source {
  const plane = height! * width!;
  return {
    arguments: ['x'],
    glsl: `${LANE}
float compute() {
${coordinates({ n: 1, channel: channels!, pixel: plane })}
return lane(x_at((n * ${blocksOf(channels!)} + channel / 4) * ${plane} + pixel), channel % 4);
}`,
  };
}

/** An image with `step - 1` zeros between its rows and columns. */
export function dilateImage([, , height, width]: Shape, [down, right]: readonly number[]): Source {
  const [rows, columns] = [(height! - 1) * down! + 1, (width! - 1) * right! + 1];
  return {
    arguments: ['x'],
    glsl: `vec4 compute() {
${coordinates({ plane: 1, y: rows, x: columns })}
if (y % ${down} != 0 || x % ${right} != 0) return vec4(0.0);
return x_at((plane * ${height} + y / ${down}) * ${width} + x / ${right});
}`,
  };
}
