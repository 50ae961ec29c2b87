// Matrix products of tensors in C order. A right factor that is used again (a layer's weight) is kept in its packed form.

import { broadcastStrides, sizeOf } from '@convoke/backend-api';

import { planFill } from '../kernels/copy.ts';
import { planMatmul, planMatmulPacked, type BatchAxis, type Matmul } from '../kernels/gemm.ts';
import { panelBytes, planPackMatrix } from '../kernels/pack.ts';
import type { Planners } from './planner.ts';

/** Columns from which a packed right factor is quicker than one read in place. */
const PACKED_COLUMNS = 8;
/** Rows from which it is, unless it is transposed and would have to be packed anyway. */
const PACKED_ROWS = 16;

export const matrixProduct: Planners = {
  matmul(p, { transposeA, transposeB }) {
    const [left, right] = [p.inputs[0]!.spec.shape, p.inputs[1]!.spec.shape];
    const output = p.outputs[0]!.shape;
    const [m, n] = output.slice(-2) as [number, number];
    const k = left.at(transposeA ? -2 : -1)!;
    const [a, b, y] = [p.at(0), p.at(1), p.output()];
    const elements = sizeOf(output);
    if (elements === 0) return;
    if (k === 0) {
      planFill(p.encoder, { to: y, count: elements, bits: 0, elementBytes: 4 });
      return;
    }
    const sizes = output.slice(0, -2);
    const [stepsA, stepsB] = [left, right].map((shape) =>
      broadcastStrides(shape.slice(0, -2), sizes),
    ) as [number[], number[]];
    const batch = sizes.map((size, i): BatchAxis => ({
      size,
      a: stepsA[i]! * m * k,
      b: stepsB[i]! * k * n,
    }));
    const plan: Omit<Matmul, 'b'> = { a, y, m, n, k, transposeA, batch };
    const rows = elements / n;
    const single = batch.every((axis) => axis.b === 0);
    const gains = n > PACKED_COLUMNS && (transposeB || rows >= PACKED_ROWS);
    const key = `panels ${k} ${n} ${transposeB}`;
    if (!single || !gains || !p.isWorthKeeping(1, key)) {
      planMatmul(p.encoder, { ...plan, b, transposeB });
      return;
    }
    const packed = p.form(1, key, panelBytes(k, n), (address) =>
      planPackMatrix(p.encoder, { b, packed: address, k, n, transpose: transposeB }),
    );
    planMatmulPacked(p.encoder, { ...plan, packed });
  },
};
