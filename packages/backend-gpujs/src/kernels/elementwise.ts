// Ops that compute each element from one element of each input, by expressions; with broadcasting.

import {
  broadcastStrides,
  SELU_ALPHA,
  SELU_SCALE,
  type OpAttributes,
  type OpName,
  type Shape,
  type Spec,
  sameShape,
} from '@convoke/backend-api';

import { walk } from '../indexing.ts';
import { literal, type Kit, type OpKernel, type OpKernels, type Value } from '../kernel.ts';
import type { Buffer } from '../device.ts';
import { blocksOf, texelsOf } from '../images.ts';
import { Storage } from '../storage.ts';

const expm1Below = (x: string): string => `expMinusOne(Math.min(${x}, 0.0))`;

/** The result in terms of `x`. */
const unary: {
  readonly [K in OpName]?: (attributes: OpAttributes[K], spec: Spec) => string;
} = {
  neg: () => '0.0 - x',
  abs: () => 'Math.abs(x)',
  sign: () => '(x > 0.0 ? 1.0 : 0.0) - (x < 0.0 ? 1.0 : 0.0)',
  exp: () => 'Math.exp(x)',
  log: () => 'Math.log(x)',
  log1p: () => 'logOnePlus(x)',
  sqrt: () => 'Math.sqrt(x)',
  sin: () => 'wave(x, 0.0)',
  cos: () => 'wave(x, 1.0)',
  tanh: () => 'tangentH(x)',
  erf: () => 'erf(x)',
  floor: () => 'Math.floor(x)',
  round: () => 'nearestEven(x)',
  rsqrt: () => '1.0 / Math.sqrt(x)',
  square: () => 'x * x',
  reciprocal: () => '1.0 / x',
  sigmoid: () => 'sigmoid(x)',
  logSigmoid: () => '0.0 - softPlus(0.0 - x)',
  relu: () => 'Math.max(x, 0.0)',
  clamp: ({ min, max }, { dtype }) => {
    const limit = dtype === 'int32' ? Math.trunc : (value: number) => value;
    return `Math.min(Math.max(x, ${literal(limit(min))}), ${literal(limit(max))})`;
  },
  leakyRelu: ({ negativeSlope }) => `x > 0.0 ? x : x * ${literal(negativeSlope)}`,
  elu: ({ alpha }) => `x > 0.0 ? x : ${literal(alpha)} * ${expm1Below('x')}`,
  selu: () =>
    `x > 0.0 ? ${literal(SELU_SCALE)} * x : ${literal(SELU_SCALE * SELU_ALPHA)} * ${expm1Below('x')}`,
  silu: () => 'x * sigmoid(x)',
  mish: () => 'x * tangentH(softPlus(x))',
  softplus: () => 'softPlus(x)',
  softsign: () => 'x / (1.0 + Math.abs(x))',
  hardswish: () => 'x * Math.min(Math.max(x + 3.0, 0.0), 6.0) * 0.16666667',
  hardsigmoid: () => 'Math.min(Math.max(x + 3.0, 0.0), 6.0) * 0.16666667',
  gelu: ({ approximate }) =>
    approximate === 'none'
      ? `0.5 * x * (1.0 + erf(x * ${literal(Math.SQRT1_2)}))`
      : `0.5 * x * (1.0 + tangentH(${literal(Math.sqrt(2 / Math.PI))} * x * (1.0 + 0.044715 * x * x)))`,
  scaledTanh: ({ amplitude, slope }) => `${literal(amplitude)} * tangentH(${literal(slope)} * x)`,
};

/** Whole numbers are floats here: the result is whole where the inputs are. */
const castTo: Readonly<Record<Spec['dtype'], string>> = {
  float32: 'x',
  int32: 'truncate(x)',
  uint8: 'truncate(x)',
  bool: 'x === 0.0 ? 0.0 : 1.0',
};

/** The result in terms of `a` and `b`. */
const binary: { readonly [K in OpName]?: string } = {
  add: 'a + b',
  sub: 'a - b',
  mul: 'a * b',
  div: 'a / b',
  pow: 'power(a, b)',
  minimum: 'Math.min(a, b)',
  maximum: 'Math.max(a, b)',
  equal: 'a === b ? 1.0 : 0.0',
  notEqual: 'a !== b ? 1.0 : 0.0',
  less: 'a < b ? 1.0 : 0.0',
  lessEqual: 'a <= b ? 1.0 : 0.0',
  greater: 'a > b ? 1.0 : 0.0',
  greaterEqual: 'a >= b ? 1.0 : 0.0',
};

/** Whether inputs of this shape are held as images, so that flat forms would have to be made. */
function areImages(kit: Kit, inputs: readonly Value[], shape: Shape): boolean {
  return (
    kit.device.packs &&
    shape.length === 4 &&
    inputs.every(({ spec }) => sameShape(spec.shape, shape)) &&
    inputs.some(({ storage: { flat, image } }) => !flat && image && sameShape(image.shape, shape))
  );
}

/** The expression for each of a texel's four channels; those beyond the image's stay 0. */
function onTexels(shape: Shape, names: readonly string[], expression: string): string {
  const [, channels, height, width] = shape as [number, number, number, number];
  const word = new RegExp(`\\b(${names.join('|')})\\b`, 'g');
  const whole = channels % 4 === 0;
  let code = 'const i = this.thread.x;\n';
  if (!whole) {
    code += `const first = imod(idiv(i, ${height * width}), ${blocksOf(channels)}) * 4;\n`;
  }
  for (const name of names) code += `const texel${name} = in${name}[i];\n`;
  for (const lane of [0, 1, 2, 3]) {
    for (const name of names) code += `const ${name}${lane} = texel${name}[${lane}];\n`;
    const result = expression.replaceAll(word, `$1${lane}`);
    code += `let result${lane} = ${result};\n`;
    if (!whole) code += `if (first + ${lane} >= ${channels}) { result${lane} = 0.0; }\n`;
  }
  return `${code}return [result0, result1, result2, result3];`;
}

/** One kernel over inputs that broadcast to the output; `expression` speaks of them by `names`. */
function elementwise(
  kit: Kit,
  inputs: readonly Value[],
  names: readonly string[],
  output: Spec,
  expression: () => string,
): Buffer | Storage {
  const { shape } = output;
  if (areImages(kit, inputs, shape)) {
    const values = inputs.map((input) => kit.image(input));
    const made = kit.launch('texels', kit.texels(texelsOf(shape)), values, () => ({
      arguments: names.map((name) => `in${name}`),
      script: onTexels(shape, names, expression()),
    }));
    return Storage.ofImage(made, shape);
  }
  return kit.compute(
    'each',
    shape,
    inputs.map((input) => kit.flat(input)),
    names.map((name) => `in${name}`),
    () => {
      const { code, at } = walk(
        shape,
        inputs.map(({ spec }) => broadcastStrides(spec.shape, shape)),
      );
      const reads = names.map((name, i) => `const ${name} = in${name}[${at[i]}];\n`).join('');
      return `${code}${reads}return ${expression()};`;
    },
  );
}

const unaryKernels = Object.fromEntries(
  (Object.keys(unary) as OpName[]).map((op) => {
    const expression = unary[op] as (attributes: unknown, spec: Spec) => string;
    const kernel: OpKernel<OpName> = (kit, inputs, attributes, [output]) => [
      elementwise(kit, inputs, ['x'], output!, () => expression(attributes, output!)),
    ];
    return [op, kernel];
  }),
) as OpKernels;

const binaryKernels = Object.fromEntries(
  Object.entries(binary).map(([op, expression]) => {
    const kernel: OpKernel<OpName> = (kit, inputs, _, [output]) => [
      elementwise(kit, inputs, ['a', 'b'], output!, () =>
        op === 'mul' && output!.dtype === 'int32' ? 'mulInt(a, b)' : expression,
      ),
    ];
    return [op, kernel];
  }),
) as OpKernels;

export const elementwiseKernels: OpKernels = {
  ...unaryKernels,
  ...binaryKernels,
  cast: (kit, inputs, { dtype }, [output]) => [
    elementwise(kit, inputs, ['x'], output!, () => castTo[dtype]),
  ],
  reluGradient: (kit, inputs, _, [output]) => [
    elementwise(kit, inputs, ['g', 'y'], output!, () => 'y > 0.0 ? g : 0.0'),
  ],
  select: (kit, inputs, _, [output]) => [
    elementwise(kit, inputs, ['p', 'a', 'b'], output!, () => 'p === 0.0 ? b : a'),
  ],
};
