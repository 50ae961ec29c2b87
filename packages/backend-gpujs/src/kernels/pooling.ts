// Windows over [N, C, H, W] and their gradients. A gradient element looks for the windows that contain it.

import type { AveragePool2dAttributes, Shape, Window2dAttributes } from '@convoke/backend-api';

import { split } from '../indexing.ts';
import { literal, type OpKernels } from '../kernel.ts';
import { hasImages } from './channel-sums.ts';
import {
  fixedDivisor,
  packedMaximum,
  packedMaximumGradient,
  packedSum,
  packedSumGradient,
  type Divisor,
} from './packed-pooling.ts';

/** Statements for each tap `ky`, `kx` of the output's window: `iy`, `ix` are its place, which may lie outside. */
function taps({ kernelSize, stride, padding, dilation }: Window2dAttributes, body: string): string {
  return `for (let ky = 0; ky < ${kernelSize[0]}; ky++) {
const iy = oy * ${stride[0]} + ky * ${dilation[0]} - ${padding[0]};
for (let kx = 0; kx < ${kernelSize[1]}; kx++) {
const ix = ox * ${stride[1]} + kx * ${dilation[1]} - ${padding[2]};
${body}
}
}`;
}

function start(output: Shape, height: number, width: number): string {
  const [n, channels, rows, columns] = output as [number, number, number, number];
  const { code, names } = split('i', [n * channels, rows, columns], 'c');
  return `const i = this.thread.x;
${code}const plane = ${names[0]} * ${height * width};
const oy = ${names[1]} + 0;
const ox = ${names[2]} + 0;
`;
}

const inside = (height: number, width: number): string =>
  `iy >= 0 && iy < ${height} && ix >= 0 && ix < ${width}`;

function maximum(attributes: Window2dAttributes, x: Shape, output: Shape, result: string): string {
  const [height, width] = x.slice(2) as [number, number];
  return `${start(output, height, width)}let best = lowest;
let where = 0.0 - 1.0;
${taps(
  attributes,
  `if (${inside(height, width)}) {
const v = x[plane + iy * ${width} + ix];
if (v > best || where < 0.0) { best = v; where = (iy * ${width} + ix) * 1.0; }
}`,
)}
return ${result};`;
}

/** The windows that contain input element `y`, `x`: `body` for each, at `oy`, `ox`. */
function windows(
  { kernelSize, stride, padding, dilation }: Window2dAttributes,
  rows: number,
  columns: number,
  body: string,
): string {
  return `for (let ky = 0; ky < ${kernelSize[0]}; ky++) {
const py = y + ${padding[0]} - ky * ${dilation[0]};
if (py >= 0 && py <= ${(rows - 1) * stride[0]}) {
if (imod(py, ${stride[0]}) === 0) {
const oy = idiv(py, ${stride[0]});
for (let kx = 0; kx < ${kernelSize[1]}; kx++) {
const px = x + ${padding[2]} - kx * ${dilation[1]};
if (px >= 0 && px <= ${(columns - 1) * stride[1]}) {
if (imod(px, ${stride[1]}) === 0) {
const ox = idiv(px, ${stride[1]});
${body}
}
}
}
}
}
}`;
}

function gradientStart(output: Shape): { code: string; plane: string } {
  const [n, channels, height, width] = output as [number, number, number, number];
  const { code, names } = split('i', [n * channels, height, width], 'c');
  return {
    code: `const i = this.thread.x;\n${code}const y = ${names[1]} + 0;\nconst x = ${names[2]} + 0;\n`,
    plane: names[0]!,
  };
}

/** Counts the elements that divide a window's sum. */
function counted(attributes: AveragePool2dAttributes, height: number, width: number): Divisor {
  const { divisor, countedPadding } = attributes;
  const [top, bottom, left, right] = divisor === 'padded' ? countedPadding : [0, 0, 0, 0];
  return {
    start: '0.0',
    each: `if (iy >= ${-top} && iy < ${height + bottom} && ix >= ${-left} && ix < ${width + right}) { count = count + 1.0; }`,
  };
}

export const poolingKernels: OpKernels = {
  maxPool2d: (kit, [x], attributes, [values]) => {
    if (hasImages(kit, [x!])) return packedMaximum(kit, x!, attributes, values!.shape);
    const from = kit.flat(x!);
    const { shape } = values!;
    return [
      kit.compute('value', shape, [from, -Infinity], ['x', 'lowest'], () =>
        maximum(attributes, x!.spec.shape, shape, 'best'),
      ),
      kit.compute('where', shape, [from, -Infinity], ['x', 'lowest'], () =>
        maximum(attributes, x!.spec.shape, shape, 'where'),
      ),
    ];
  },
  maxPool2dGradient: (kit, [gradient, indices], _, [output]) => {
    const [rows, columns] = gradient!.spec.shape.slice(2) as [number, number];
    const known = indices!.storage.windows;
    if (known && hasImages(kit, [gradient!])) {
      return [packedMaximumGradient(kit, gradient!, indices!, known, output!.shape)];
    }
    const step = known ? `windows ${JSON.stringify(known)}` : 'planes';
    const from = [kit.flat(gradient!), kit.flat(indices!)];
    return [
      kit.compute(step, output!.shape, from, ['gradient', 'indices'], () => {
        const { code, plane } = gradientStart(output!.shape);
        const width = output!.shape[3]!;
        const body = `const at = (${plane} * ${rows} + oy) * ${columns} + ox;
if (whole(indices[at]) === own) { s = s + gradient[at]; }`;
        const search = known
          ? windows(known, rows, columns, body)
          : `for (let oy = 0; oy < ${rows}; oy++) {\nfor (let ox = 0; ox < ${columns}; ox++) {\n${body}\n}\n}`;
        return `${code}const own = y * ${width} + x;\nlet s = 0.0;\n${search}\nreturn s;`;
      }),
    ];
  },
  sumPool2d: (kit, [x], attributes, [output]) => [
    hasImages(kit, [x!])
      ? packedSum(kit, x!, attributes, output!.shape, fixedDivisor(1))
      : kit.compute('each', output!.shape, [kit.flat(x!)], ['x'], () => {
          const [height, width] = x!.spec.shape.slice(2) as [number, number];
          return `${start(output!.shape, height, width)}let s = 0.0;
${taps(attributes, `if (${inside(height, width)}) { s = s + x[plane + iy * ${width} + ix]; }`)}
return s;`;
        }),
  ],
  sumPool2dGradient: (kit, [gradient], attributes, [output]) => [
    hasImages(kit, [gradient!])
      ? packedSumGradient(kit, gradient!, attributes, output!.shape)
      : kit.compute('each', output!.shape, [kit.flat(gradient!)], ['gradient'], () => {
          const [rows, columns] = gradient!.spec.shape.slice(2) as [number, number];
          const { code, plane } = gradientStart(output!.shape);
          const body = `s = s + gradient[(${plane} * ${rows} + oy) * ${columns} + ox];`;
          return `${code}let s = 0.0;\n${windows(attributes, rows, columns, body)}\nreturn s;`;
        }),
  ],
  averagePool2d: (kit, [x], attributes, [output]) => {
    const [height, width] = x!.spec.shape.slice(2) as [number, number];
    const { divisor, kernelSize } = attributes;
    const fixed =
      divisor === 'kernel'
        ? kernelSize[0] * kernelSize[1]
        : typeof divisor === 'number'
          ? divisor
          : null;
    if (hasImages(kit, [x!])) {
      const count = fixed === null ? counted(attributes, height, width) : fixedDivisor(fixed);
      return [packedSum(kit, x!, attributes, output!.shape, count)];
    }
    return [
      kit.compute('each', output!.shape, [kit.flat(x!)], ['x'], () => {
        const add = `if (${inside(height, width)}) { s = s + x[plane + iy * ${width} + ix]; }`;
        const count = fixed === null ? counted(attributes, height, width).each : '';
        return `${start(output!.shape, height, width)}let s = 0.0;
let count = ${fixed === null ? '0.0' : literal(fixed)};
${taps(attributes, `${add}\n${count}`)}
return s / count;`;
      }),
    ];
  },
};
