// Index arithmetic of scripts: from the number of an output's element to positions in inputs of other strides. Axes that all
// inputs walk alike are merged, so that common cases divide little or not at all.

import { sizeOf, type Shape } from '@convoke/backend-api';

export interface Walk {
  /** Statements that define the coordinates. */
  readonly code: string;
  /** For each list of strides, the position: a whole-number expression. */
  readonly at: readonly string[];
}

/** `offset + c0 * s0 - …` of terms that are not 0. */
export function sumOf(offset: number, terms: readonly (readonly [string, number])[]): string {
  let text = offset === 0 ? '' : String(offset);
  for (const [name, factor] of terms) {
    if (factor === 0) continue;
    const size = Math.abs(factor);
    const term = size === 1 ? name : `${name} * ${size}`;
    if (text === '') text = factor < 0 ? `0 - ${term}` : term;
    else text += factor < 0 ? ` - ${term}` : ` + ${term}`;
  }
  return text === '' ? '0' : text;
}

/** Statements that split the whole number `from` into coordinates `${name}0`, … over `shape`; returns their names. */
export function split(from: string, shape: Shape, name: string): { code: string; names: string[] } {
  const names = shape.map((length, axis) => (length === 1 ? '0' : `${name}${axis}`));
  let code = '';
  let rest = from;
  const used = shape.flatMap((length, axis) => (length === 1 ? [] : [axis]));
  for (const [position, axis] of used.toReversed().entries()) {
    if (position === used.length - 1) {
      if (rest === names[axis]) break;
      code += `const ${names[axis]} = ${rest};\n`;
      break;
    }
    code += `const ${names[axis]} = imod(${rest}, ${shape[axis]});\n`;
    code += `const ${name}r${axis} = idiv(${rest}, ${shape[axis]});\n`;
    rest = `${name}r${axis}`;
  }
  return { code, names };
}

/** How to walk `shape` in C order over inputs of these strides and offsets. */
export function walk(
  shape: Shape,
  strides: readonly (readonly number[])[],
  offsets: readonly number[] = [],
): Walk {
  const lengths: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const last = lengths.length - 1;
    const joins = last >= 0 && strides.every((own, i) => merged[i]![last] === own[axis]! * length);
    if (joins) lengths[last]! *= length;
    else lengths.push(length);
    for (const [i, own] of strides.entries()) {
      if (joins) merged[i]![last] = own[axis]!;
      else merged[i]!.push(own[axis]!);
    }
  }
  const { code, names } = split('i', lengths, 'c');
  return {
    code: `const i = this.thread.x;\n${code}`,
    at: merged.map((own, i) =>
      sumOf(
        offsets[i] ?? 0,
        names.map((name, axis) => [name, own[axis]!] as const),
      ),
    ),
  };
}

/** [outer, length, inner] round an axis. */
export function roundAxis(shape: Shape, axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
}
