// The table of gradient rules: for each op, the gradient of the loss with respect to each input, given g, that of output 0.
// Rules are written in ops, so that they can be differentiated again. Each input's gradient is a function, called only where
// it is wanted. What a rule reads of inputs (a, b, ...) and outputs (y) must be listed as saved; of the rest it knows only
// shapes. Ops without a rule are differentiated through their decomposition.

import {
  conv2dPart,
  SELU_ALPHA,
  SELU_SCALE,
  sizeOf,
  type OpAttributes,
  type OpName,
  type Pair,
  type Shape,
} from '@convoke/backend-api';

import { dispatch, run } from '../dispatch.ts';
import type { Tensor } from '../tensor.ts';
import { otherProducts } from './products.ts';

type Gradients = readonly (() => Tensor)[];
export type Rule<K extends OpName> = (
  g: Tensor,
  inputs: Tensor[],
  outputs: Tensor[],
  attributes: OpAttributes[K],
) => Gradients;

// Shorthand for formulas.
const none = {};
const number = (value: number, like: Tensor): Tensor =>
  run('fill', [], { shape: [], dtype: like.dtype, value }, { backend: like.backend });
const lift = (value: Tensor | number, like: Tensor): Tensor =>
  typeof value === 'number' ? number(value, like) : value;
const add = (a: Tensor, b: Tensor | number): Tensor => run('add', [a, lift(b, a)], none);
const sub = (a: Tensor, b: Tensor): Tensor => run('sub', [a, b], none);
const mul = (a: Tensor, b: Tensor | number): Tensor => run('mul', [a, lift(b, a)], none);
const div = (a: Tensor, b: Tensor): Tensor => run('div', [a, b], none);
const neg = (a: Tensor): Tensor => run('neg', [a], none);
const square = (a: Tensor): Tensor => run('square', [a], none);
const reshape = (a: Tensor, shape: Shape): Tensor => run('reshape', [a], { shape });
const less = (a: Tensor, b: Tensor | number): Tensor => run('less', [a, lift(b, a)], none);
const greater = (a: Tensor, b: Tensor | number): Tensor => run('greater', [a, lift(b, a)], none);
const greaterEqual = (a: Tensor, b: Tensor | number): Tensor =>
  run('greaterEqual', [a, lift(b, a)], none);
const where = (condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor => {
  const like = typeof a === 'number' ? (b as Tensor) : a;
  return run('select', [condition, lift(a, like), lift(b, like)], none);
};
const equal = (a: Tensor, b: Tensor): Tensor => run('equal', [a, b], none);
const zero = (like: Tensor): Tensor => number(0, like);
const both = (a: Tensor, b: Tensor): Tensor => run('select', [a, b, number(0, a)], none);
const reluGradient = (g: Tensor, y: Tensor): Tensor => run('reluGradient', [g, y], none);
const sigmoid = (a: Tensor): Tensor => run('sigmoid', [a], none);
const sum = (a: Tensor, axes: readonly number[], keepDims = false): Tensor =>
  run('reduceSum', [a], { axes, keepDims });

/** g summed to `shape`, from which the op's input was broadcast. */
function sumTo(g: Tensor, shape: Shape): Tensor {
  const lead = g.shape.length - shape.length;
  const axes = g.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || (shape[axis - lead] === 1 && g.shape[axis] !== 1));
  if (axes.length === 0 && lead === 0) return g;
  return reshape(axes.length === 0 ? g : sum(g, axes), shape);
}

/** A reduced tensor back at the rank of what was reduced, ready to broadcast. */
function unreduced(a: Tensor, like: Shape, axes: readonly number[]): Tensor {
  return reshape(
    a,
    like.map((length, axis) => (axes.includes(axis) ? 1 : length)),
  );
}

function spread(a: Tensor, like: Shape, axes: readonly number[]): Tensor {
  return run('broadcastTo', [unreduced(a, like, axes)], { shape: like });
}

function spatial(tensor: Tensor): Pair {
  return [tensor.shape[2]!, tensor.shape[3]!];
}

const product = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor =>
  run('matmul', [a, b], { transposeA, transposeB });

/** Elementwise: g times the derivative, by the saved input x or output y. */
function byInput<K extends OpName>(
  derivative: (g: Tensor, x: Tensor, attributes: OpAttributes[K]) => Tensor,
): Rule<K> {
  return (g, [x], _, attributes) => [() => derivative(g, x!, attributes)];
}
function byOutput<K extends OpName>(
  derivative: (g: Tensor, y: Tensor, attributes: OpAttributes[K]) => Tensor,
): Rule<K> {
  return (g, _, [y], attributes) => [() => derivative(g, y!, attributes)];
}

/** The gradient of an extreme over axes, shared evenly by the elements that tie. */
const extreme: Rule<'reduceMax' | 'reduceMin'> = (g, [x], [y], { axes }) => [
  () => {
    const ties = run('cast', [run('equal', [x!, unreduced(y!, x!.shape, axes)], none)], {
      dtype: 'float32',
    });
    const shares = div(ties, sum(ties, axes, true));
    return mul(shares, unreduced(g, x!.shape, axes));
  },
];

/** For maximum and minimum: g to the chosen input, half to each on ties. */
function chosen(g: Tensor, wins: Tensor, ties: Tensor, shape: Shape): Tensor {
  return sumTo(where(ties, mul(g, 0.5), where(wins, g, 0)), shape);
}

/** The derivative of the fused activation at its output. */
function throughActivation(g: Tensor, y: Tensor, activation: 'none' | 'relu' | 'relu6'): Tensor {
  if (activation === 'none') return g;
  const alive = reluGradient(g, y);
  return activation === 'relu' ? alive : where(less(y, 6), alive, 0);
}

export const rules: { readonly [K in OpName]?: Rule<K> } = {
  neg: (g) => [() => neg(g)],
  abs: byInput((g, x) => mul(g, run('sign', [x], none))),
  exp: byOutput((g, y) => mul(g, y)),
  log: byInput((g, x) => div(g, x)),
  log1p: byInput((g, x) => div(g, add(x, 1))),
  sqrt: byOutput((g, y) => div(mul(g, 0.5), y)),
  sin: byInput((g, x) => mul(g, run('cos', [x], none))),
  cos: byInput((g, x) => neg(mul(g, run('sin', [x], none)))),
  tanh: byOutput((g, y) => sub(g, mul(g, square(y)))),
  erf: byInput((g, x) => mul(mul(g, run('exp', [neg(square(x))], none)), 2 / Math.sqrt(Math.PI))),
  rsqrt: byOutput((g, y) => mul(mul(g, -0.5), mul(y, square(y)))),
  square: byInput((g, x) => mul(mul(g, 2), x)),
  reciprocal: byOutput((g, y) => neg(mul(g, square(y)))),
  sigmoid: byOutput((g, y) => mul(g, sub(y, square(y)))),
  logSigmoid: byInput((g, x) => mul(g, sigmoid(neg(x)))),
  relu: byOutput((g, y) => reluGradient(g, y)),
  reluGradient: (g, [, y]) => [
    () => reluGradient(g, y!),
    () => run('fill', [], { shape: g.shape, dtype: 'float32', value: 0 }, { backend: g.backend }),
  ],
  clamp: byInput((g, x, { min, max }) => where(greater(x, min), where(less(x, max), g, 0), 0)),
  leakyRelu: byInput((g, x, { negativeSlope }) => where(greater(x, 0), g, mul(g, negativeSlope))),
  elu: byInput((g, x, { alpha }) =>
    where(
      greater(x, 0),
      g,
      mul(g, mul(run('exp', [run('minimum', [x, number(0, x)], none)], none), alpha)),
    ),
  ),
  selu: byInput((g, x) =>
    where(
      greater(x, 0),
      mul(g, SELU_SCALE),
      mul(
        g,
        mul(run('exp', [run('minimum', [x, number(0, x)], none)], none), SELU_ALPHA * SELU_SCALE),
      ),
    ),
  ),
  silu: byInput((g, x) => {
    const s = sigmoid(x);
    return mul(g, mul(s, add(mul(x, sub(number(1, s), s)), 1)));
  }),
  mish: byInput((g, x) => {
    const t = run('tanh', [run('softplus', [x], none)], none);
    return mul(g, add(t, mul(mul(x, sigmoid(x)), sub(number(1, t), square(t)))));
  }),
  softplus: byInput((g, x) => mul(g, sigmoid(x))),
  softsign: byInput((g, x) => div(g, square(add(run('abs', [x], none), 1)))),
  hardswish: byInput((g, x) =>
    where(less(x, -3), 0, where(greaterEqual(x, 3), g, mul(g, add(mul(x, 1 / 3), 0.5)))),
  ),
  hardsigmoid: byInput((g, x) => where(greater(x, -3), where(less(x, 3), mul(g, 1 / 6), 0), 0)),
  scaledTanh: byOutput((g, y, { amplitude, slope }) =>
    mul(g, sub(number(amplitude * slope, y), mul(square(y), slope / amplitude))),
  ),

  add: (g, [a, b]) => [() => sumTo(g, a!.shape), () => sumTo(g, b!.shape)],
  sub: (g, [a, b]) => [() => sumTo(g, a!.shape), () => sumTo(neg(g), b!.shape)],
  mul: (g, [a, b]) => [() => sumTo(mul(g, b!), a!.shape), () => sumTo(mul(g, a!), b!.shape)],
  div: (g, [a, b]) => [
    () => sumTo(div(g, b!), a!.shape),
    () => sumTo(neg(mul(g, div(a!, square(b!)))), b!.shape),
  ],
  pow: (g, [a, b], [y]) => [
    // At 0^0 the factor b makes the gradient 0; the power below it must stay finite for that.
    () => {
      const flat = both(equal(a!, zero(a!)), equal(b!, zero(b!)));
      const below = run('pow', [a!, add(where(flat, 1, b!), -1)], none);
      return sumTo(mul(g, mul(b!, below)), a!.shape);
    },
    // 0^b does not change with b >= 0, where log(0) would make that NaN.
    () => {
      const flat = both(equal(a!, zero(a!)), greaterEqual(b!, 0));
      return sumTo(mul(g, mul(y!, run('log', [where(flat, 1, a!)], none))), b!.shape);
    },
  ],
  maximum: (g, [a, b]) => [
    () => chosen(g, greater(a!, b!), equal(a!, b!), a!.shape),
    () => chosen(g, less(a!, b!), equal(a!, b!), b!.shape),
  ],
  minimum: (g, [a, b]) => [
    () => chosen(g, less(a!, b!), equal(a!, b!), a!.shape),
    () => chosen(g, greater(a!, b!), equal(a!, b!), b!.shape),
  ],
  select: (g, [condition, a, b]) => [
    () => g,
    () => sumTo(where(condition!, g, 0), a!.shape),
    () => sumTo(where(condition!, 0, g), b!.shape),
  ],

  reduceSum: (g, [x], _, { axes }) => [() => spread(g, x!.shape, axes)],
  reduceMean: (g, [x], _, { axes }) => [
    () => spread(mul(g, 1 / sizeOf(axes.map((axis) => x!.shape[axis]!))), x!.shape, axes),
  ],
  reduceProd: (g, [x], _, { axes }) => [
    () => mul(otherProducts(x!, axes), unreduced(g, x!.shape, axes)),
  ],
  reduceMax: extreme,
  reduceMin: extreme,
  cumsum: (g, _, __, { axis }) => [
    () =>
      run('flip', [run('cumsum', [run('flip', [g], { axes: [axis] })], { axis })], {
        axes: [axis],
      }),
  ],
  sort: (g, [x], [, indices], { axis }) => [
    () =>
      run(
        'scatterAdd',
        [
          run('fill', [], { shape: x!.shape, dtype: 'float32', value: 0 }, { backend: g.backend }),
          indices!,
          g,
        ],
        { axis },
      ),
  ],

  reshape: (g, [x]) => [() => reshape(g, x!.shape)],
  permute: (g, _, __, { permutation }) => [
    () =>
      run('permute', [g], {
        permutation: permutation.map((___, axis) => permutation.indexOf(axis)),
      }),
  ],
  broadcastTo: (g, [x]) => [() => sumTo(g, x!.shape)],
  pad: (g, [x], _, { before, interior }) => [
    () =>
      run('slice', [g], {
        starts: before,
        sizes: x!.shape,
        steps: interior.map((zeros) => zeros + 1),
      }),
  ],
  slice: (g, [x], _, { starts, sizes, steps }) => [
    () => {
      const after = x!.shape.map((length, axis) =>
        sizes[axis] === 0
          ? length - starts[axis]!
          : length - starts[axis]! - (sizes[axis]! - 1) * steps[axis]! - 1,
      );
      return run('pad', [g], {
        before: starts,
        after,
        interior: steps.map((step) => step - 1),
        value: 0,
      });
    },
  ],
  flip: (g, _, __, { axes }) => [() => run('flip', [g], { axes })],
  concat: (g, inputs, _, { axis }) => {
    let at = 0;
    return inputs.map(({ shape }) => {
      const starts = shape.map((__, i) => (i === axis ? at : 0));
      at += shape[axis]!;
      return () => run('slice', [g], { starts, sizes: shape, steps: shape.map(() => 1) });
    });
  },
  gather: (g, [x, indices], _, { axis }) => [
    () =>
      run(
        'scatterAdd',
        [
          run('fill', [], { shape: x!.shape, dtype: 'float32', value: 0 }, { backend: g.backend }),
          indices!,
          g,
        ],
        { axis },
      ),
  ],
  scatterAdd: (g, [, indices], _, { axis }) => [
    () => g,
    () => g,
    () => run('gather', [g, indices!], { axis }),
  ],

  matmul: (g, [a, b], _, { transposeA, transposeB }) => [
    () =>
      sumTo(
        transposeA ? product(b!, g, transposeB, true) : product(g, b!, false, !transposeB),
        a!.shape,
      ),
    () =>
      sumTo(
        transposeB ? product(g, a!, true, transposeA) : product(a!, g, !transposeA, false),
        b!.shape,
      ),
  ],
  conv2d: (g, [x, filter], _, attributes) => [
    () => run('conv2dInputGradient', [g, filter!], { ...attributes, inputSize: spatial(x!) }),
    () => run('conv2dFilterGradient', [x!, g], { ...attributes, kernelSize: spatial(filter!) }),
  ],
  fusedConv2d: (g, [x, filter], [y], attributes) => {
    let shared: Tensor | undefined;
    const inner = (): Tensor => (shared ??= throughActivation(g, y!, attributes.activation));
    const conv = conv2dPart(attributes);
    return [
      () => run('conv2dInputGradient', [inner(), filter!], { ...conv, inputSize: spatial(x!) }),
      () => run('conv2dFilterGradient', [x!, inner()], { ...conv, kernelSize: spatial(filter!) }),
      () => sum(inner(), [0, 2, 3]),
      inner,
    ];
  },
  conv2dInputGradient: (g, [gradient, filter], _, attributes) => [
    () => run('conv2d', [g, filter!], conv2dPart(attributes)),
    () =>
      run('conv2dFilterGradient', [g, gradient!], {
        ...conv2dPart(attributes),
        kernelSize: spatial(filter!),
      }),
  ],
  conv2dFilterGradient: (g, [x, gradient], _, attributes) => [
    () =>
      run('conv2dInputGradient', [gradient!, g], {
        ...conv2dPart(attributes),
        inputSize: spatial(x!),
      }),
    () => run('conv2d', [x!, g], conv2dPart(attributes)),
  ],

  maxPool2d: (g, [x], [, indices]) => [
    () => run('maxPool2dGradient', [g, indices!], { inputSize: spatial(x!) }),
  ],
  sumPool2d: (g, [x], _, attributes) => [
    () => run('sumPool2dGradient', [g], { ...attributes, inputSize: spatial(x!) }),
  ],
  averagePool2d: (g, [x], _, attributes) => [
    () => run('averagePool2dGradient', [g], { ...attributes, inputSize: spatial(x!) }),
  ],

  resample: (g, [, ...windows], _, attributes) => {
    const [weights, starts, transposedWeights, transposedStarts] = windows as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    return [
      () => run('resample', [g, transposedWeights, transposedStarts, weights, starts], attributes),
    ];
  },

  batchNormTrain: (g, [x, weight], [, mean, variance], attributes) => {
    let shared: Tensor[] | undefined;
    const all = (): Tensor[] =>
      (shared ??= dispatch(
        'batchNormTrainGradient',
        [g, x!, weight!, mean!, variance!],
        attributes,
      ));
    return [() => all()[0]!, () => all()[1]!, () => all()[2]!];
  },

  softmax: (g, _, [y], { axis }) => [
    () => {
      const weighted = mul(g, y!);
      return sub(weighted, mul(y!, sum(weighted, [axis], true)));
    },
  ],
  logSoftmax: (g, _, [y], { axis }) => [
    () => sub(g, mul(run('exp', [y!], none), sum(g, [axis], true))),
  ],
  softmaxCrossEntropy: (g, [logits, classes], [, logProbabilities]) => [
    () => run('softmaxCrossEntropyGradient', [g, logits!, logProbabilities!, classes!], none),
  ],
};
