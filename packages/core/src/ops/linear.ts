// Matrix products.

import { formatShape, ShapeError, sizeOf } from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { expectTensor } from '../kinds.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

export interface MatmulOptions {
  /** `a` is stored as [..., K, M]. Default false. */
  readonly transposeA?: boolean | undefined;
  /** `b` is stored as [..., N, K]. Default false. */
  readonly transposeB?: boolean | undefined;
}

/** a [..., M, K] times b [..., K, N]: [..., M, N]. Leading axes broadcast. float32. */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  return run('matmul', [a, b], { transposeA, transposeB });
}

/** x [..., in] times the transpose of weight [out, in], plus bias [out]: [..., out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  expectTensor('linear', 'the input', x);
  expectTensor('linear', 'the weight', weight);
  const [outputs, inputs] = weight.shape;
  if (weight.shape.length !== 2 || x.shape.at(-1) !== inputs) {
    throw new ShapeError(
      `linear: an input of shape ${formatShape(x.shape)} and a weight of shape ${formatShape(weight.shape)}; expected [..., in] and [out, in]`,
    );
  }
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== outputs)) {
    throw new ShapeError(
      `linear: the bias has shape ${formatShape(bias.shape)}; expected [${outputs}] for a weight of shape ${formatShape(weight.shape)}`,
    );
  }
  const leading = x.shape.slice(0, -1);
  return scope(() => {
    // All leading axes as rows of one product.
    const isMatrix = x.shape.length === 2;
    const rows = isMatrix ? x : run('reshape', [x], { shape: [sizeOf(leading), inputs!] });
    const products = matmul(rows, weight, { transposeB: true });
    const sums = bias ? run('add', [products, bias], {}) : products;
    return isMatrix ? sums : run('reshape', [sums], { shape: [...leading, outputs!] });
  });
}
