// Which comparison a part of a network's file is for, by what it holds.

import { currentBackend, type Backend } from '@convoke/core';
import type { Module } from '@convoke/nn';

import type { Deviation, Precision } from './compare.ts';
import { runGoldenAuxiliary, runGoldenCase } from './evaluation.ts';
import type { GoldenPart } from './files.ts';
import { runGoldenFrozen, runGoldenTraining } from './gradients.ts';

/** Compares one part on a model that `fillWithGolden` has filled, and sets the mode that it needs. */
export async function runGoldenPart(
  model: Module,
  part: GoldenPart,
  precision: Precision = 'strict',
  backend: Backend = currentBackend(),
): Promise<Deviation[]> {
  if ('modes' in part) return runGoldenAuxiliary(model, part, precision, backend);
  if ('losses' in part) return runGoldenTraining(model, part, precision, backend);
  if ('grads' in part) return runGoldenFrozen(model, part, precision, backend);
  return runGoldenCase(model.eval(), part, precision, backend);
}
