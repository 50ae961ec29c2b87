// The suites by name.

import type { Case } from '../contender.ts';
import { kernelCase, kernelNames } from './kernels.ts';
import { trainingCase, trainingNames } from './training.ts';
import { zooCase, zooNames } from './zoo.ts';

export interface Suite {
  readonly names: readonly string[];
  /** Milliseconds that a contender warms up for: steps of training run much JavaScript, which is compiled while it runs. */
  readonly warmUpMs: number;
  /** A case with its inputs and reference, made when it is wanted: they are large. */
  make(name: string, signal?: AbortSignal): Case | Promise<Case>;
}

export const suites: Readonly<Record<string, Suite>> = {
  kernels: { names: kernelNames, warmUpMs: 200, make: kernelCase },
  training: { names: trainingNames, warmUpMs: 1500, make: trainingCase },
  zoo: { names: zooNames, warmUpMs: 200, make: zooCase },
};

/** The names that contain one of the comma-separated parts; all where nothing is asked for. */
export function chosenNames(names: readonly string[], only: string): string[] {
  const parts = only.split(',').map((part) => part.trim());
  return names.filter((name) => parts.some((part) => name.includes(part)));
}
