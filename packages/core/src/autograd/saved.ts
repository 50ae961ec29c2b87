// What the tape keeps of each op for its gradient rule: positions of inputs and outputs. An op that is not listed has no rule
// of its own and is differentiated through its decomposition.

import type { OpAttributes, OpName } from '@convoke/backend-api';

export interface SavedPositions {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

const nothing: SavedPositions = { inputs: [], outputs: [] };
const from = (...inputs: number[]): SavedPositions => ({ inputs, outputs: [] });
const fromOutput: SavedPositions = { inputs: [], outputs: [0] };

const saved: { readonly [K in OpName]?: SavedPositions } = {
  neg: nothing,
  abs: from(0),
  exp: fromOutput,
  log: from(0),
  log1p: from(0),
  sqrt: fromOutput,
  sin: from(0),
  cos: from(0),
  tanh: fromOutput,
  erf: from(0),
  rsqrt: fromOutput,
  square: from(0),
  reciprocal: fromOutput,
  sigmoid: fromOutput,
  logSigmoid: from(0),
  relu: fromOutput,
  reluGradient: from(1),
  clamp: from(0),
  leakyRelu: from(0),
  elu: from(0),
  selu: from(0),
  silu: from(0),
  mish: from(0),
  softplus: from(0),
  softsign: from(0),
  hardswish: from(0),
  hardsigmoid: from(0),
  scaledTanh: fromOutput,
  add: nothing,
  sub: nothing,
  mul: from(0, 1),
  div: from(0, 1),
  pow: { inputs: [0, 1], outputs: [0] },
  maximum: from(0, 1),
  minimum: from(0, 1),
  select: from(0),
  reduceSum: nothing,
  reduceMean: nothing,
  reduceProd: from(0),
  reduceMax: { inputs: [0], outputs: [0] },
  reduceMin: { inputs: [0], outputs: [0] },
  cumsum: nothing,
  sort: { inputs: [], outputs: [1] },
  reshape: nothing,
  permute: nothing,
  broadcastTo: nothing,
  pad: nothing,
  slice: nothing,
  flip: nothing,
  concat: nothing,
  gather: from(1),
  scatterAdd: from(1),
  matmul: from(0, 1),
  conv2d: from(0, 1),
  fusedConv2d: { inputs: [0, 1], outputs: [0] },
  conv2dInputGradient: from(0, 1),
  conv2dFilterGradient: from(0, 1),
  maxPool2d: { inputs: [], outputs: [1] },
  sumPool2d: nothing,
  averagePool2d: nothing,
  resample: from(1, 2, 3, 4),
  batchNormTrain: { inputs: [0, 1], outputs: [1, 2] },
  softmax: fromOutput,
  logSoftmax: fromOutput,
  softmaxCrossEntropy: { inputs: [0, 1], outputs: [1] },
};

/** What to keep for `op`, or null where it has no rule. */
export function savedPositions<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
): SavedPositions | null {
  if (op === 'fusedConv2d') {
    // Without an activation the output tells the gradient nothing.
    const { activation } = attributes as OpAttributes['fusedConv2d'];
    return activation === 'none' ? from(0, 1) : saved.fusedConv2d!;
  }
  return saved[op] ?? null;
}
