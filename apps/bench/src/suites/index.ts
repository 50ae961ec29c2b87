// The suites by name.

import type { Case } from '../contender.ts';
import { kernelCase, kernelNames } from './kernels.ts';
import { trainingCase, trainingNames } from './training.ts';
import { zooCase, zooNames } from './zoo.ts';

export interface Suite {
  readonly names: readonly string[];
  /** A case with its inputs and reference, made when it is wanted: they are large. */
  make(name: string, signal?: AbortSignal): Case | Promise<Case>;
}

export const suites: Readonly<Record<string, Suite>> = {
  kernels: { names: kernelNames, make: kernelCase },
  training: { names: trainingNames, make: trainingCase },
  zoo: { names: zooNames, make: zooCase },
};
