// The products that the gradient of a product is made of, by logarithmically many multiplications that can be differentiated
// again.

import { sizeOf } from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import type { Tensor } from '../tensor.ts';

/** For each element of a row, the product of those before it, in steps that double their reach. */
function productsBefore(rows: Tensor): Tensor {
  const [count, length] = rows.shape as [number, number];
  const shifted = (a: Tensor, by: number): Tensor => {
    const kept = run('slice', [a], { starts: [0, 0], sizes: [count, length - by], steps: [1, 1] });
    return run('pad', [kept], { before: [0, by], after: [0, 0], interior: [0, 0], value: 1 });
  };
  let products = shifted(rows, 1);
  for (let step = 1; step < length; step *= 2)
    products = run('mul', [products, shifted(products, step)], {});
  return products;
}

function turned(rows: Tensor): Tensor {
  return run('flip', [rows], { axes: [1] });
}

/** For each element, the product of all others along `axes`; not by division, so that zeros do no harm. */
export function otherProducts(x: Tensor, axes: readonly number[]): Tensor {
  if (x.size === 0) return x;
  const rest = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...rest, ...axes];
  const moved = run('permute', [x], { permutation: order });
  const length = sizeOf(axes.map((axis) => x.shape[axis]!));
  const rows = run('reshape', [moved], { shape: [x.size / length, length] });
  const after = turned(productsBefore(turned(rows)));
  const others = run('mul', [productsBefore(rows), after], {});
  return run('permute', [run('reshape', [others], { shape: moved.shape })], {
    permutation: order.map((_, axis) => order.indexOf(axis)),
  });
}
