// What a network gives in float64. Its forward pass is recorded, and the program run op by op by the conformance kit's naive
// reference, which shares nothing with a backend. Convolutions have loops of their own here, or a network would take minutes.

import { definition, sizeOf, type Builder, type OpAttributes } from '@convoke/backend-api';
import { fromData, runNaive, type NaiveValue } from '@convoke/backend-testkit';
import { createRecorder, noGrad, onBackend, scope, Tensor } from '@convoke/core';
import type { Module } from '@convoke/nn';

/** [N, C, H, W] with [O, C / groups, kH, kW], one tap of the kernel after another. */
function convolution(
  x: NaiveValue,
  filter: NaiveValue,
  { stride, padding, rhsDilation, groups }: OpAttributes['conv2d'],
  output: readonly number[],
): Float64Array {
  const [, channels, height, width] = x.spec.shape as [number, number, number, number];
  const [, perGroup, rows, columns] = filter.spec.shape as [number, number, number, number];
  const [images, filters, outHeight, outWidth] = output as [number, number, number, number];
  const y = new Float64Array(sizeOf(output));
  for (let plane = 0; plane < images * filters; plane++) {
    const image = Math.floor(plane / filters);
    const o = plane % filters;
    const firstChannel = Math.floor(o / (filters / groups)) * perGroup;
    for (let tap = 0; tap < perGroup * rows * columns; tap++) {
      const factor = filter.data[o * perGroup * rows * columns + tap]!;
      const from = image * channels + firstChannel + Math.floor(tap / (rows * columns));
      const row = Math.floor(tap / columns) % rows;
      const column = tap % columns;
      for (let oy = 0; oy < outHeight; oy++) {
        const iy = oy * stride[0] + row * rhsDilation[0] - padding[0];
        if (iy < 0 || iy >= height) continue;
        for (let ox = 0; ox < outWidth; ox++) {
          const ix = ox * stride[1] + column * rhsDilation[1] - padding[2];
          if (ix < 0 || ix >= width) continue;
          y[(plane * outHeight + oy) * outWidth + ox]! +=
            factor * x.data[(from * height + iy) * width + ix]!;
        }
      }
    }
  }
  return y;
}

const float64: Builder<NaiveValue> = {
  run(op, inputs, attributes) {
    const { infer, decompose } = definition(op);
    if (decompose) return decompose(float64, inputs, attributes);
    if (op !== 'conv2d') return runNaive(op, inputs, attributes);
    const conv = attributes as OpAttributes['conv2d'];
    const [spec] = infer(
      inputs.map((value) => value.spec),
      attributes,
    );
    return [{ spec: spec!, data: convolution(inputs[0]!, inputs[1]!, conv, spec!.shape) }];
  },
  constant: fromData,
  spec: (value) => value.spec,
};

/** Lets a page paint and its buttons work. */
const pause = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

/**
 * The output of a model made on `meta` for one input, with these values as its parameters and buffers: seconds of work, with
 * pauses. Rejects with the signal's reason on abort.
 */
export async function networkOutput(
  model: Module,
  weights: ReadonlyMap<string, Float32Array>,
  input: { readonly shape: readonly number[]; readonly data: Float32Array },
  signal?: AbortSignal,
): Promise<Float64Array> {
  const recorder = createRecorder();
  const spec = { dtype: 'float32', shape: input.shape } as const;
  const program = scope(() =>
    onBackend(recorder, () =>
      noGrad(() => {
        const y = model.forward(new Tensor(recorder, recorder.input(spec)));
        return recorder.finish([y.handle]);
      }),
    ),
  );
  const names = new Map([...model.stateDict()].map(([name, slot]) => [slot.handle, name]));
  const values: NaiveValue[] = [];
  values[program.inputs[0]!] = fromData(spec, input.data);
  for (const { value, handle } of program.captures)
    values[value] = fromData(program.values[value]!, weights.get(names.get(handle)!)!);
  for (const { value, data } of program.constants)
    values[value] = fromData(program.values[value]!, data);
  for (const { op, inputs, attributes, outputs } of program.nodes) {
    await pause();
    signal?.throwIfAborted();
    const results = float64.run(
      op,
      inputs.map((value) => values[value]!),
      attributes,
    );
    for (const [i, value] of outputs.entries()) values[value] = results[i]!;
  }
  return values[program.outputs[0]!]!.data;
}
