// Networks against PyTorch's results: weights that follow from names (a formula), logits, outputs of stages and of auxiliary
// classifiers, gradients, and losses of training.

import { createMeta, type Backend } from '@convoke/core';

import { createModel } from './create.ts';
import type { Deviation, Precision } from './golden/compare.ts';
import type { GoldenPart } from './golden/files.ts';
import { runGoldenPart } from './golden/parts.ts';
import { fillWithGolden } from './golden/values.ts';

export type { Deviation, Precision } from './golden/compare.ts';
export { runGoldenAuxiliary, runGoldenCase } from './golden/evaluation.ts';
export type {
  GoldenAuxiliary,
  GoldenCheckpoint,
  GoldenFrozen,
  GoldenNetwork,
  GoldenNetworkCase,
  GoldenPart,
  GoldenTraining,
} from './golden/files.ts';
export { runGoldenFrozen, runGoldenTraining } from './golden/gradients.ts';
export { runGoldenPart } from './golden/parts.ts';
export { fillWithGolden, goldenValues } from './golden/values.ts';

/** A case as a runner of golden files hands it over: `attrs` tell the network, `network` one part of what its file holds. */
interface NamedCase {
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly network?: unknown;
}

type Runner = (
  backend: Backend,
  options: { precision: Precision },
) => Promise<{ tensors: readonly Deviation[] }>;

/** How to run a case of a network, or null for one that is none. Errors are relative. */
export function recognize({ attrs, network }: NamedCase): Runner | null {
  const { arch, gain } = attrs;
  if (typeof arch !== 'string' || typeof gain !== 'number') return null;
  if (typeof network !== 'object' || network === null) return null;
  return async (backend, { precision }) => {
    const model = await createModel(arch, { backend: createMeta() });
    try {
      fillWithGolden(model, gain, backend);
      const part = network as GoldenPart;
      return { tensors: await runGoldenPart(model, part, precision, backend) };
    } finally {
      model.dispose();
    }
  };
}
