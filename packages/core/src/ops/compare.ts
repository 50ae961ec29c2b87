// Comparisons and truth values: bool tensors, which carry no gradient. `where` passes gradients to what it picked.

import { DtypeError, formatSpec } from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { axesOf, type ReduceOptions } from './axes.ts';
import { cast, full } from './creation.ts';
import { binary, lift, type Operand } from './operands.ts';

export function equal(a: Operand, b: Operand): Tensor {
  return binary('equal', a, b);
}

export function notEqual(a: Operand, b: Operand): Tensor {
  return binary('notEqual', a, b);
}

export function less(a: Operand, b: Operand): Tensor {
  return binary('less', a, b);
}

export function lessEqual(a: Operand, b: Operand): Tensor {
  return binary('lessEqual', a, b);
}

export function greater(a: Operand, b: Operand): Tensor {
  return binary('greater', a, b);
}

export function greaterEqual(a: Operand, b: Operand): Tensor {
  return binary('greaterEqual', a, b);
}

function expectBool(op: string, ...inputs: readonly Tensor[]): void {
  for (const input of inputs) {
    if (input.dtype !== 'bool') {
      throw new DtypeError(
        `${op}: the input is ${formatSpec(input.spec)}; expected bool. Compare it, or convert it with cast()`,
      );
    }
  }
}

function truth(value: boolean, like: Tensor): Tensor {
  return full([], Number(value), { dtype: 'bool', backend: like.backend });
}

export function logicalNot(x: Tensor): Tensor {
  expectBool('logicalNot', x);
  return scope(() => run('select', [x, truth(false, x), truth(true, x)], {}));
}

export function logicalAnd(a: Tensor, b: Tensor): Tensor {
  expectBool('logicalAnd', a, b);
  return scope(() => run('select', [a, b, truth(false, a)], {}));
}

export function logicalOr(a: Tensor, b: Tensor): Tensor {
  expectBool('logicalOr', a, b);
  return scope(() => run('select', [a, truth(true, a), b], {}));
}

/** a where the bool `condition` holds, b elsewhere; all three broadcast. Two numbers make a float32 result. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (typeof a !== 'number' && typeof b !== 'number') return run('select', [condition, a, b], {});
  return scope(() => {
    const { backend } = condition;
    const first = typeof a === 'number' && typeof b === 'number' ? full([], a, { backend }) : a;
    return run('select', [condition, ...lift('where', first, b)], {});
  });
}

export function isNaN(x: Tensor): Tensor {
  return run('notEqual', [x, x], {});
}

/** Neither NaN nor infinite. */
export function isFinite(x: Tensor): Tensor {
  if (x.dtype !== 'float32') return run('equal', [x, x], {});
  return scope(() => binary('less', run('abs', [x], {}), Infinity));
}

/** How many elements of the bool `x` hold, int32. */
function count(x: Tensor, axes: readonly number[], keepDims: boolean): Tensor {
  return run('reduceSum', [cast(x, 'int32')], { axes, keepDims });
}

/** Whether any element along the axes is true (or not 0); false over no elements. */
export function any(x: Tensor, options: ReduceOptions = {}): Tensor {
  const axes = axesOf('any', options.axis, x);
  return scope(() => binary('greater', count(cast(x, 'bool'), axes, options.keepDims ?? false), 0));
}

/** Whether all elements along the axes are true (or not 0); true over no elements. */
export function all(x: Tensor, options: ReduceOptions = {}): Tensor {
  const axes = axesOf('all', options.axis, x);
  return scope(() =>
    binary('equal', count(logicalNot(cast(x, 'bool')), axes, options.keepDims ?? false), 0),
  );
}
