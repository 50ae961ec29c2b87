// Numbers beside tensors: `add(x, 2)` means a rank-0 tensor of x's dtype on x's backend.

import { DataError, DtypeError, type Dtype, type OpAttributes } from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { expectTensor } from '../kinds.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** A tensor, or a number that stands for a tensor of that value. */
export type Operand = Tensor | number;

type BinaryName =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'minimum'
  | 'maximum'
  | 'equal'
  | 'notEqual'
  | 'less'
  | 'lessEqual'
  | 'greater'
  | 'greaterEqual';

const ranges: Readonly<Record<Exclude<Dtype, 'float32'>, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint8: [0, 255],
  bool: [0, 1],
};

/** Whether an element of `dtype` can hold `value`; float32 holds any number, rounded. */
export function holds(dtype: Dtype, value: number): boolean {
  if (dtype === 'float32') return true;
  const [least, most] = ranges[dtype];
  return Number.isInteger(value) && value >= least && value <= most;
}

/** A rank-0 tensor of `like`'s dtype on its backend. */
function scalar(op: string, value: number, like: Tensor): Tensor {
  expectTensor(op, 'an operand', like);
  if (!holds(like.dtype, value)) {
    throw new DtypeError(
      `${op}: ${value} is no ${like.dtype} value; convert the ${like.dtype} tensor with cast() first`,
    );
  }
  return run('fill', [], { shape: [], dtype: like.dtype, value }, { backend: like.backend });
}

/** Both operands as tensors; at least one is a tensor already. */
export function lift(op: string, a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a !== 'number') return [a, typeof b === 'number' ? scalar(op, b, a) : b];
  if (typeof b !== 'number') return [scalar(op, a, b), b];
  throw new DataError(
    `${op}: expected at least one tensor, got the numbers ${a} and ${b}; make one with tensor()`,
  );
}

/** Runs an op of two inputs on operands. */
export function binary(op: BinaryName, a: Operand, b: Operand): Tensor {
  const attributes: OpAttributes[BinaryName] = {};
  if (typeof a !== 'number' && typeof b !== 'number') return run(op, [a, b], attributes);
  return scope(() => run(op, lift(op, a, b), attributes));
}
