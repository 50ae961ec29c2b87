// When the loss is NaN or infinite: which parameter, input, layer and op was the first to hold such a value.

import {
  detach,
  formatShape,
  noGrad,
  observeOps,
  scope,
  type OpName,
  type Tensor,
} from '@convoke/core';

import type { Loss } from '../losses.ts';
import type { Module } from '../module.ts';
import { watchForward } from '../watch.ts';

type Values = Promise<ArrayLike<number>>;

function firstNonFinite(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return i;
  return -1;
}

/** The first NaN or infinity of the values, or null. */
async function badOf(values: Values): Promise<number | null> {
  const elements = await values;
  const at = firstNonFinite(elements);
  return at < 0 ? null : elements[at]!;
}

interface OpTrace {
  readonly op: OpName;
  readonly values: readonly Values[];
}

interface CallTrace {
  /** Such as `layer 'conv1' (Conv2d)`. */
  readonly layer: string;
  readonly output: Values;
  /** Those that the layer ran itself, not in a layer within it. */
  readonly ops: readonly OpTrace[];
}

/** Runs model and loss with every layer and op watched; calls in the order in which they ended, the loss last. */
function trace(model: Module, loss: Loss, inputs: Tensor, labels: Tensor): CallTrace[] {
  const calls: CallTrace[] = [];
  let ops: OpTrace[] = [];
  const within = (layer: string, run: () => Tensor): Tensor => {
    const outer = ops;
    const own: OpTrace[] = (ops = []);
    const output = run();
    calls.push({ layer, output: output.data(), ops: own });
    ops = outer;
    return output;
  };
  const forward = (): Tensor =>
    watchForward(
      model,
      (name, module, run) => {
        const layer = name === '' ? 'the model' : `layer '${name}'`;
        return within(`${layer} (${module.constructor.name})`, run);
      },
      () => model.forward(inputs),
    );
  const observe = (op: OpName, outputs: readonly Tensor[]): void => {
    const real = outputs.filter(({ dtype }) => dtype === 'float32');
    ops.push({ op, values: real.map((output) => output.data()) });
  };
  noGrad(() =>
    scope(() =>
      observeOps(observe, () => {
        const outputs = forward();
        within('the loss', () => loss(outputs, labels));
      }),
    ),
  );
  // What is not read any more may fail unheard.
  for (const { output, ops: own } of calls) {
    for (const values of [output, ...own.flatMap((each) => each.values)]) {
      values.catch(() => undefined);
    }
  }
  return calls;
}

/**
 * A sentence that names where NaN or infinity first shows: in a parameter, the inputs, or an op of a layer or the loss.
 * `replay` runs a function with the random numbers of the step that failed.
 */
export async function diagnose(
  model: Module,
  loss: Loss,
  inputs: Tensor,
  labels: Tensor,
  replay: <T>(f: () => T) => T,
): Promise<string> {
  for (const [name, slot] of model.namedParameters()) {
    const bad = await badOf(slot.data());
    if (bad !== null) return `'${name}' holds ${bad}: an earlier step overflowed`;
  }
  const values = await inputs.data();
  const at = firstNonFinite(values);
  if (at >= 0) {
    const sample = Math.floor(at / (inputs.size / inputs.shape[0]!));
    return `sample ${sample} of the batch, of inputs ${formatShape(inputs.shape)}, holds ${values[at]}`;
  }
  const calls = keepingBuffers(model, () => replay(() => trace(model, loss, inputs, labels)));
  for (const { layer, output, ops } of calls) {
    const bad = await badOf(output);
    if (bad === null) continue;
    for (const { op, values: outputs } of ops) {
      for (const each of outputs) {
        const first = await badOf(each);
        if (first !== null) return `the first to give ${first} is op '${op}' in ${layer}`;
      }
    }
    return `the first to give ${bad} is ${layer}`;
  }
  return 'run once more, it stays finite: the computation is not deterministic';
}

/** Runs `f`, after which buffers, such as running statistics, hold what they held before. */
function keepingBuffers<T>(model: Module, f: () => T): T {
  const buffers = [...model.namedBuffers().values()];
  const values = buffers.map((slot) => detach(slot));
  try {
    return f();
  } finally {
    buffers.forEach((slot, i) => slot.assign(values[i]!));
  }
}
