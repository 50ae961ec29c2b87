// Networks of the zoo on a Convoke backend.

import { noGrad, scope, tensor, createMeta, type Backend, type Tensor } from '@convoke/core';
import { createModel } from '@convoke/zoo';

import type { Case, InferenceCase, Task } from '../contender.ts';

export async function inferenceTask(
  { network, shape }: InferenceCase,
  inputs: Case['inputs'],
  backend: Backend,
): Promise<Task> {
  // Without initial values, which would be replaced at once.
  const model = (await createModel(network, { backend: createMeta() })).eval();
  for (const [name, slot] of model.stateDict()) {
    // All but counts of batches, which evaluation does not look at.
    const data = inputs.get(name) ?? new Int32Array(1);
    slot.moveTo(backend, backend.upload(slot.spec, data));
  }
  const image = tensor(inputs.get('image')!, { shape, backend });
  const infer = (): Tensor => scope(() => noGrad(() => model.forward(image)));
  return {
    run: () => infer().dispose(),
    finish: () => backend.sync(),
    async result() {
      const y = infer();
      const data = (await y.data()) as Float32Array;
      y.dispose();
      return data;
    },
    dispose() {
      model.dispose();
      image.dispose();
    },
  };
}
