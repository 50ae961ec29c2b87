// What a network is made of: for each layer the shape and size of what it gives, its parameters and its multiply-adds. The
// network is recorded, not computed: it costs no time and no memory, and a network made on `meta` does as well.

import {
  createRecorder,
  definition,
  formatShape,
  noGrad,
  observeOps,
  onBackend,
  scope,
  sizeOf,
  Tensor,
  type OpAttributes,
  type OpName,
  type Program,
  type Shape,
  type Spec,
} from '@convoke/core';

import type { Module } from './module.ts';
import { formatTable } from './table.ts';
import { watchForward } from './watch.ts';

export interface LayerSummary {
  /** As in the state dict; `input` for an input. */
  readonly name: string;
  /** Name of the class. */
  readonly type: string;
  readonly activationShape: Shape;
  /** Elements of the activation. */
  readonly activationSize: number;
  /** Elements of its own parameters; 0 where they were counted at an earlier layer that shares them. */
  readonly parameters: number;
  /** Multiply-adds of convolutions and matrix products. */
  readonly macs: number;
}

export interface ModelSummary {
  /** The inputs, then layers in the order in which they finish. One that is called twice stands there twice. */
  readonly layers: readonly LayerSummary[];
  /** All parameters, those of modules that did not run included. */
  readonly parameters: number;
  /** Parameters that are not frozen. */
  readonly trainableParameters: number;
  /** Parameters of modules that did not run: auxiliary heads, say. */
  readonly unusedParameters: number;
  /** Elements of all activations, inputs included. */
  readonly activations: number;
  readonly macs: number;
}

interface Call {
  readonly name: string;
  readonly module: Module;
  readonly shape: Shape;
  /** Ops recorded before it began and after it ended. */
  readonly from: number;
  readonly to: number;
  /** The calls made within it. */
  readonly inner: readonly Call[];
}

/**
 * Runs the model in evaluation mode on inputs of the given shape, batch axis included (or on inputs of the given specs, where
 * they are several or not float32). Counts are for that input: give a batch of 1 for the numbers of one image. Throws what
 * the model throws for the shape.
 */
export function summary(model: Module, input: Shape | readonly Spec[]): ModelSummary {
  const specs = input.map((item) => (typeof item === 'number' ? null : item));
  const inputs: readonly Spec[] = specs.every((spec) => spec !== null)
    ? specs
    : [{ shape: input as Shape, dtype: 'float32' }];
  const { calls, program } = record(model, inputs);
  const macs = program.nodes.map((_, i) => macsOf(program, i));
  const between = (from: number, to: number): number =>
    macs.slice(from, to).reduce((sum, count) => sum + count, 0);

  const layers: LayerSummary[] = inputs.map(({ shape }) => ({
    name: 'input',
    type: 'Input',
    activationShape: shape,
    activationSize: sizeOf(shape),
    parameters: 0,
    macs: 0,
  }));
  const counted = new Set<unknown>();
  for (const { name, module, shape, from, to, inner } of calls) {
    const own = [...module.ownSlots().values()].filter((slot) => slot.isParameter);
    const ownMacs =
      between(from, to) - inner.reduce((sum, call) => sum + between(call.from, call.to), 0);
    if (module.namedChildren().size > 0 && own.length === 0 && ownMacs === 0) continue;
    const fresh = own.filter((slot) => !counted.has(slot));
    for (const slot of fresh) counted.add(slot);
    layers.push({
      name,
      type: module.constructor.name,
      activationShape: shape,
      activationSize: sizeOf(shape),
      parameters: fresh.reduce((sum, { size }) => sum + size, 0),
      macs: ownMacs,
    });
  }
  const parameters = model.parameters();
  const total = parameters.reduce((sum, { size }) => sum + size, 0);
  const trainable = parameters.filter(({ requiresGrad }) => requiresGrad);
  return {
    layers,
    parameters: total,
    trainableParameters: trainable.reduce((sum, { size }) => sum + size, 0),
    unusedParameters: total - layers.reduce((sum, layer) => sum + layer.parameters, 0),
    activations: layers.reduce((sum, layer) => sum + layer.activationSize, 0),
    macs: between(0, macs.length),
  };
}

/** The model's ops, and which module's call made which; modes of the modules are as before afterwards. */
function record(
  model: Module,
  inputs: readonly Spec[],
): { calls: readonly Call[]; program: Program } {
  const recorder = createRecorder();
  const calls: Call[] = [];
  let count = 0;
  let inner: Call[] = [];
  const modes = [...model.namedModules().values()].map((module) => ({
    module,
    training: module.training,
  }));
  model.eval();
  try {
    onBackend(recorder, () =>
      noGrad(() =>
        scope(() => {
          const tensors = inputs.map((spec) => new Tensor(recorder, recorder.input(spec)));
          watchForward(
            model,
            (name, module, run) => {
              const [from, outer] = [count, inner];
              inner = [];
              const output = run();
              const call = { name, module, shape: output.shape, from, to: count, inner };
              calls.push(call);
              inner = [...outer, call];
              return output;
            },
            // Every op that is observed is one node of the program.
            () =>
              observeOps(
                () => void count++,
                () => void model.forward(...tensors),
              ),
          );
        }),
      ),
    );
  } finally {
    for (const { module, training } of modes) module.training = training;
  }
  return { calls, program: recorder.finish([]) };
}

function macsOf(program: Program, index: number): number {
  const { op, inputs, outputs, attributes } = program.nodes[index]!;
  const specs = (values: readonly number[]): Spec[] => values.map((i) => program.values[i]!);
  const { macs } = definition<OpName>(op);
  return macs?.(specs(inputs), specs(outputs), attributes as OpAttributes[OpName]) ?? 0;
}

const grouped = (value: number): string => value.toLocaleString('en-US');

/** The summary as a table with totals, in columns of plain text. */
export function formatSummary(summarized: ModelSummary): string {
  const { layers, parameters, trainableParameters, unusedParameters, activations, macs } =
    summarized;
  const header = ['layer', 'type', 'activation shape', 'activation size', 'parameters', 'MACs'];
  const rows = layers.map((layer) => [
    layer.name,
    layer.type,
    formatShape(layer.activationShape),
    grouped(layer.activationSize),
    grouped(layer.parameters),
    grouped(layer.macs),
  ]);
  const used = grouped(parameters - unusedParameters);
  const total = ['total', '', '', grouped(activations), used, grouped(macs)];
  const table = formatTable(header, rows, { leftColumns: 3, total });
  const notes = [
    `trainable parameters: ${grouped(trainableParameters)}`,
    ...(unusedParameters > 0
      ? [`parameters of modules that did not run: ${grouped(unusedParameters)}`]
      : []),
  ];
  return [table, ...notes].join('\n');
}
