// Elementwise ops: what they take, and how the optional ones follow from the required.
// Decompositions keep PyTorch's gradients at kinks: relu 0 at 0; clamp 0 at both ends; hardswish and hardsigmoid as written.

import type { Builder, OpDefinition } from '../builder.ts';
import { DtypeError, ShapeError } from '../errors.ts';
import { checkDtype, formatSpec, type Dtype, type Spec } from '../spec.ts';
import type { None, OpAttributes } from './attributes.ts';
import { broadcastOf, expectDtype, expectInputs, expectShape } from './checks.ts';
import { compose, type Composer } from './composing.ts';

type UnaryName =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'exp'
  | 'log'
  | 'log1p'
  | 'sqrt'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'floor'
  | 'round'
  | 'rsqrt'
  | 'square'
  | 'reciprocal'
  | 'sigmoid'
  | 'logSigmoid'
  | 'relu'
  | 'clamp'
  | 'leakyRelu'
  | 'elu'
  | 'selu'
  | 'silu'
  | 'mish'
  | 'softplus'
  | 'softsign'
  | 'hardswish'
  | 'hardsigmoid'
  | 'gelu'
  | 'scaledTanh';
type BinaryName = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'minimum' | 'maximum';
type CompareName = 'equal' | 'notEqual' | 'less' | 'lessEqual' | 'greater' | 'greaterEqual';
type ElementwiseName = 'cast' | UnaryName | 'reluGradient' | BinaryName | CompareName | 'select';

/** SELU's constants (Klambauer et al. 2017, arXiv:1706.02515). */
export const SELU_ALPHA = 1.6732632423543772;
export const SELU_SCALE = 1.0507009873554805;

type Formula<A> = <V>(c: Composer<V>, x: V, attributes: A) => V;

function unary<A>(
  op: UnaryName,
  summary: string,
  formula?: Formula<A>,
  options: { dtypes?: readonly Dtype[]; gradient?: 'none' } = {},
): OpDefinition<A> {
  const dtypes = options.dtypes ?? ['float32'];
  return {
    summary,
    infer(inputs) {
      expectInputs(op, inputs, 1);
      expectDtype(op, 'the input', inputs[0]!, ...dtypes);
      return [inputs[0]!];
    },
    ...(formula && {
      decompose: <V>(
        builder: Parameters<typeof compose<V>>[0],
        inputs: readonly V[],
        attributes: A,
      ) => [formula(compose(builder), inputs[0]!, attributes)],
    }),
    ...(options.gradient && { gradient: options.gradient }),
  };
}

function sameDtype(op: string, a: Spec, b: Spec): void {
  if (a.dtype !== b.dtype) {
    throw new DtypeError(
      `${op}: inputs are ${formatSpec(a)} and ${formatSpec(b)}; expected one dtype. Convert one with cast() first`,
    );
  }
}

function binary(
  op: BinaryName,
  summary: string,
  dtypes: readonly Dtype[],
  formula?: <V>(c: Composer<V>, a: V, b: V) => V,
): OpDefinition<None> {
  return {
    summary,
    infer(inputs) {
      expectInputs(op, inputs, 2);
      const [a, b] = inputs as [Spec, Spec];
      sameDtype(op, a, b);
      expectDtype(op, 'the input', a, ...dtypes);
      return [{ shape: broadcastOf(op, inputs), dtype: a.dtype }];
    },
    ...(formula && {
      decompose: <V>(builder: Parameters<typeof compose<V>>[0], inputs: readonly V[]) => [
        formula(compose(builder), inputs[0]!, inputs[1]!),
      ],
    }),
  };
}

function compare(
  op: CompareName,
  summary: string,
  formula?: <V>(c: Composer<V>, a: V, b: V) => V,
): OpDefinition<None> {
  return {
    summary,
    gradient: 'none',
    infer(inputs) {
      expectInputs(op, inputs, 2);
      const [a, b] = inputs as [Spec, Spec];
      sameDtype(op, a, b);
      return [{ shape: broadcastOf(op, inputs), dtype: 'bool' }];
    },
    ...(formula && {
      decompose: <V>(builder: Parameters<typeof compose<V>>[0], inputs: readonly V[]) => [
        formula(compose(builder), inputs[0]!, inputs[1]!),
      ],
    }),
  };
}

const arithmetic: readonly Dtype[] = ['float32', 'int32'];

function not<V>(c: Composer<V>, condition: V): V {
  const [no, yes] = [false, true].map((value) =>
    c.run('fill', { shape: [], dtype: 'bool', value: Number(value) }),
  );
  return c.op('select', condition, no!, yes!);
}

function either<V>(c: Composer<V>, a: V, b: V): V {
  return c.op('select', a, c.run('fill', { shape: [], dtype: 'bool', value: 1 }), b);
}

function below<V>(c: Composer<V>, x: V, limit: number): V {
  return c.op('less', x, c.number(limit, x));
}

function above<V>(c: Composer<V>, x: V, limit: number): V {
  return c.op('less', c.number(limit, x), x);
}

/** log(1 + e^x) without overflow. */
function softplus<V>(c: Composer<V>, x: V): V {
  return c.add(c.op('relu', x), c.op('log1p', c.op('exp', c.mul(c.op('abs', x), -1))));
}

export const elementwise: { readonly [K in ElementwiseName]: OpDefinition<OpAttributes[K]> } = {
  cast: {
    summary: 'the same values in another dtype',
    gradient: 'none',
    infer(inputs, { dtype }) {
      expectInputs('cast', inputs, 1);
      checkDtype('cast', dtype);
      return [{ shape: inputs[0]!.shape, dtype }];
    },
  },

  neg: unary('neg', '-x', (c, x) => c.mul(x, -1), { dtypes: arithmetic }),
  abs: unary('abs', '|x|', (c, x) => c.op('maximum', x, c.mul(x, -1)), { dtypes: arithmetic }),
  sign: unary(
    'sign',
    '-1, 0 or 1',
    (c, x) =>
      c.op(
        'select',
        below(c, x, 0),
        c.number(-1, x),
        c.op('select', above(c, x, 0), c.number(1, x), x),
      ),
    { dtypes: arithmetic, gradient: 'none' },
  ),
  exp: unary('exp', 'e^x'),
  log: unary('log', 'natural logarithm'),
  log1p: unary('log1p', 'log(1 + x), accurate near 0'),
  sqrt: unary('sqrt', 'square root'),
  sin: unary('sin', 'sine'),
  cos: unary('cos', 'cosine'),
  tanh: unary('tanh', 'hyperbolic tangent'),
  erf: unary('erf', 'error function'),
  floor: unary('floor', 'the largest whole number <= x', undefined, { gradient: 'none' }),
  round: unary('round', 'the nearest whole number, halves to even', undefined, {
    gradient: 'none',
  }),
  rsqrt: unary('rsqrt', '1 / sqrt(x)', (c, x) => c.div(1, c.op('sqrt', x))),
  square: unary('square', 'x * x', (c, x) => c.mul(x, x), { dtypes: arithmetic }),
  reciprocal: unary('reciprocal', '1 / x', (c, x) => c.div(1, x)),
  sigmoid: unary('sigmoid', '1 / (1 + e^-x)', (c, x) =>
  // e^-|x| never overflows, and 1 / (1 + e) or e / (1 + e) by the sign keeps full accuracy on both sides.
  {
    const e = c.op('exp', c.mul(c.op('abs', x), -1));
    const denominator = c.add(e, 1);
    return c.op('select', below(c, x, 0), c.op('div', e, denominator), c.div(1, denominator));
  }),
  logSigmoid: unary('logSigmoid', 'log(sigmoid(x))', (c, x) =>
    c.mul(softplus(c, c.mul(x, -1)), -1),
  ),
  relu: unary('relu', 'max(x, 0)', (c, x) => c.op('maximum', x, c.number(0, x)), {
    dtypes: arithmetic,
  }),
  reluGradient: {
    summary: 'gradient of relu, by its result',
    infer(inputs) {
      const op = 'reluGradient';
      expectInputs(op, inputs, 2);
      const [gradient, y] = inputs as [Spec, Spec];
      expectDtype(op, 'the gradient', gradient, 'float32');
      expectDtype(op, 'the result of relu', y, 'float32');
      expectShape(op, 'the gradient', gradient, y.shape);
      return [y];
    },
    decompose(builder, [gradient, y]) {
      const c = compose(builder);
      return [c.op('select', above(c, y!, 0), gradient!, c.number(0))];
    },
  },
  clamp: {
    summary: 'x limited to [min, max]',
    infer(inputs, { min, max }) {
      expectInputs('clamp', inputs, 1);
      expectDtype('clamp', 'the input', inputs[0]!, ...arithmetic);
      if (!(min <= max)) throw new ShapeError(`clamp: min ${min} must not exceed max ${max}`);
      return [inputs[0]!];
    },
    decompose<V>(
      builder: Builder<V>,
      [x]: readonly V[],
      { min, max }: OpAttributes['clamp'],
    ): readonly V[] {
      const c = compose(builder);
      // An infinite limit is none: an integer cannot hold it.
      let y = x as V;
      if (min !== -Infinity) y = c.op('maximum', y, c.number(min, x!));
      if (max !== Infinity) y = c.op('minimum', y, c.number(max, x!));
      return [y === x ? c.reshape(y, c.shape(y)) : y];
    },
  },
  leakyRelu: unary('leakyRelu', 'x above 0, negativeSlope * x below', (c, x, { negativeSlope }) =>
    c.op('select', above(c, x, 0), x, c.mul(x, negativeSlope)),
  ),
  elu: unary('elu', 'x above 0, alpha (e^x - 1) below', (c, x, { alpha }) =>
    c.op(
      'select',
      above(c, x, 0),
      x,
      c.mul(c.sub(c.op('exp', c.op('minimum', x, c.number(0))), c.number(1)), alpha),
    ),
  ),
  selu: unary('selu', 'scaled elu', (c, x) =>
    c.mul(c.run('elu', { alpha: SELU_ALPHA }, x), SELU_SCALE),
  ),
  silu: unary('silu', 'x sigmoid(x)', (c, x) => c.mul(x, c.op('sigmoid', x))),
  mish: unary('mish', 'x tanh(softplus(x))', (c, x) => c.mul(x, c.op('tanh', c.op('softplus', x)))),
  softplus: unary('softplus', 'log(1 + e^x)', softplus),
  softsign: unary('softsign', 'x / (1 + |x|)', (c, x) => c.op('div', x, c.add(c.op('abs', x), 1))),
  hardswish: unary('hardswish', 'x relu6(x + 3) / 6', (c, x) =>
    c.op(
      'select',
      below(c, x, -3),
      c.mul(x, 0),
      c.op('select', below(c, x, 3), c.mul(c.mul(x, c.add(x, 3)), 1 / 6), x),
    ),
  ),
  hardsigmoid: unary('hardsigmoid', 'relu6(x + 3) / 6', (c, x) =>
    c.mul(c.run('clamp', { min: 0, max: 6 }, c.add(x, 3)), 1 / 6),
  ),
  gelu: unary('gelu', 'x times the normal distribution function of x', (c, x, { approximate }) => {
    if (approximate === 'none') {
      return c.mul(c.mul(x, 0.5), c.add(c.op('erf', c.mul(x, Math.SQRT1_2)), 1));
    }
    const inner = c.mul(c.mul(x, c.add(c.mul(c.mul(x, x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
    return c.mul(c.mul(x, 0.5), c.add(c.op('tanh', inner), 1));
  }),
  scaledTanh: unary('scaledTanh', 'amplitude tanh(slope x)', (c, x, { amplitude, slope }) =>
    c.mul(c.op('tanh', c.mul(x, slope)), amplitude),
  ),

  add: binary('add', 'a + b', arithmetic),
  sub: binary('sub', 'a - b', arithmetic),
  mul: binary('mul', 'a * b', arithmetic),
  div: binary('div', 'a / b', ['float32']),
  pow: binary('pow', 'a to the power of b', ['float32']),
  minimum: binary('minimum', 'the smaller, NaN if either is', arithmetic, (c, a, b) =>
    c.mul(c.op('maximum', c.mul(a, -1), c.mul(b, -1)), -1),
  ),
  maximum: binary('maximum', 'the larger, NaN if either is', arithmetic),

  equal: compare('equal', 'a = b'),
  less: compare('less', 'a < b'),
  notEqual: compare('notEqual', 'a != b', (c, a, b) => not(c, c.op('equal', a, b))),
  lessEqual: compare('lessEqual', 'a <= b', (c, a, b) =>
    either(c, c.op('less', a, b), c.op('equal', a, b)),
  ),
  greater: compare('greater', 'a > b', (c, a, b) => c.op('less', b, a)),
  greaterEqual: compare('greaterEqual', 'a >= b', (c, a, b) =>
    either(c, c.op('less', b, a), c.op('equal', a, b)),
  ),

  select: {
    summary: 'a where the condition holds, b elsewhere',
    infer(inputs) {
      expectInputs('select', inputs, 3);
      const [condition, a, b] = inputs as [Spec, Spec, Spec];
      expectDtype('select', 'the condition', condition, 'bool');
      sameDtype('select', a, b);
      return [{ shape: broadcastOf('select', inputs), dtype: a.dtype }];
    },
  },
};
