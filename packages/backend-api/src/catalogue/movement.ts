// Ops that move elements without computing: shapes, slices, padding, indexing.

import type { OpDefinition } from '../builder.ts';
import { DtypeError, ShapeError } from '../errors.ts';
import {
  broadcastShapes,
  checkShape,
  formatShape,
  formatSpec,
  sameShape,
  sizeOf,
  type Spec,
} from '../spec.ts';
import type { OpAttributes } from './attributes.ts';
import {
  expectAxis,
  expectDtype,
  expectInputs,
  expectLength,
  expectShape,
  expectWhole,
} from './checks.ts';
import { compose } from './composing.ts';

type MovementName =
  | 'reshape'
  | 'permute'
  | 'broadcastTo'
  | 'pad'
  | 'slice'
  | 'flip'
  | 'concat'
  | 'gather'
  | 'scatterAdd';

function expectIndices(op: string, x: Spec, indices: Spec, axis: number): void {
  expectAxis(op, axis, x.shape.length);
  expectDtype(op, 'the index tensor', indices, 'int32');
  const fits =
    indices.shape.length === x.shape.length &&
    indices.shape.every((length, i) => i === axis || length === x.shape[i]);
  if (!fits) {
    throw new ShapeError(
      `${op}: indices ${formatShape(indices.shape)} must have the shape of the input ${formatShape(x.shape)} but along axis ${axis}`,
    );
  }
}

export const movement: { readonly [K in MovementName]: OpDefinition<OpAttributes[K]> } = {
  reshape: {
    summary: 'the same elements in C order under another shape; shares the storage',
    infer(inputs, { shape }) {
      expectInputs('reshape', inputs, 1);
      checkShape('reshape', shape);
      const from = inputs[0]!.shape;
      if (sizeOf(from) !== sizeOf(shape)) {
        throw new ShapeError(
          `reshape: ${formatShape(from)} has ${sizeOf(from)} elements, ${formatShape(shape)} has ${sizeOf(shape)}; expected equal counts`,
        );
      }
      return [{ shape, dtype: inputs[0]!.dtype }];
    },
  },
  permute: {
    summary: 'axes in another order: axis i of the result is axis permutation[i] of the input',
    infer(inputs, { permutation }) {
      expectInputs('permute', inputs, 1);
      const { shape, dtype } = inputs[0]!;
      const sorted = permutation.toSorted((a, b) => a - b);
      if (permutation.length !== shape.length || !sorted.every((axis, i) => axis === i)) {
        throw new ShapeError(
          `permute: ${formatShape(permutation)} is no order of the ${shape.length} axes of ${formatShape(shape)}`,
        );
      }
      return [{ shape: permutation.map((axis) => shape[axis]!), dtype }];
    },
  },
  broadcastTo: {
    summary: 'repeated along axes of length 1 and new leading axes',
    infer(inputs, { shape }) {
      expectInputs('broadcastTo', inputs, 1);
      checkShape('broadcastTo', shape);
      const common = broadcastShapes(inputs[0]!.shape, shape);
      if (!common || !sameShape(common, shape)) {
        throw new ShapeError(
          `broadcastTo: ${formatShape(inputs[0]!.shape)} does not broadcast to ${formatShape(shape)}; compared from the last axis, lengths must be equal or 1`,
        );
      }
      return [{ shape, dtype: inputs[0]!.dtype }];
    },
  },
  pad: {
    summary: 'a constant before, after and between the elements of each axis',
    infer(inputs, { before, after, interior }) {
      expectInputs('pad', inputs, 1);
      const { shape, dtype } = inputs[0]!;
      for (const [what, list] of Object.entries({ before, after, interior })) {
        expectLength('pad', what, list, shape.length);
        expectWhole('pad', what, list, 0);
      }
      return [
        {
          shape: shape.map(
            (length, axis) =>
              before[axis]! + after[axis]! + length + Math.max(length - 1, 0) * interior[axis]!,
          ),
          dtype,
        },
      ];
    },
  },
  slice: {
    summary: 'a box of elements, every steps-th along each axis',
    infer(inputs, { starts, sizes, steps }) {
      expectInputs('slice', inputs, 1);
      const { shape, dtype } = inputs[0]!;
      for (const [what, list] of Object.entries({ starts, sizes, steps })) {
        expectLength('slice', what, list, shape.length);
        expectWhole('slice', what, list, what === 'steps' ? 1 : 0);
      }
      for (const [axis, length] of shape.entries()) {
        const last = starts[axis]! + Math.max(sizes[axis]! - 1, 0) * steps[axis]!;
        const end = sizes[axis] === 0 ? last : last + 1;
        if (end > length) {
          throw new ShapeError(
            `slice: axis ${axis} of ${formatShape(shape)} ends at ${length}; start ${starts[axis]}, size ${sizes[axis]} and step ${steps[axis]} reach ${end}`,
          );
        }
      }
      return [{ shape: [...sizes], dtype }];
    },
  },
  flip: {
    summary: 'reversed along axes',
    infer(inputs, { axes }) {
      expectInputs('flip', inputs, 1);
      for (const axis of axes) expectAxis('flip', axis, inputs[0]!.shape.length);
      return [inputs[0]!];
    },
    decompose(builder, [x], { axes }) {
      const c = compose(builder);
      let result = c.reshape(x!, c.shape(x!));
      for (const axis of axes) {
        const shape = c.shape(result);
        const index = c.run('iota', { shape, dtype: 'int32', axis });
        const last = c.run('fill', { shape: [], dtype: 'int32', value: shape[axis]! - 1 });
        result = c.run('gather', { axis }, result, c.op('sub', last, index));
      }
      return [result];
    },
  },
  concat: {
    summary: 'tensors one after another along an axis',
    infer(inputs, { axis }) {
      if (inputs.length === 0)
        throw new ShapeError('concat: expected at least one tensor, got none');
      const first = inputs[0]!;
      expectAxis('concat', axis, first.shape.length);
      let length = 0;
      for (const [i, spec] of inputs.entries()) {
        if (spec.dtype !== first.dtype) {
          throw new DtypeError(
            `concat: tensor ${i} is ${formatSpec(spec)}; expected ${first.dtype} like the first`,
          );
        }
        const fits =
          spec.shape.length === first.shape.length &&
          spec.shape.every((n, a) => a === axis || n === first.shape[a]);
        if (!fits) {
          throw new ShapeError(
            `concat: tensor ${i} has shape ${formatShape(spec.shape)}; expected that of the first, ${formatShape(first.shape)}, but along axis ${axis}`,
          );
        }
        length += spec.shape[axis]!;
      }
      return [{ shape: first.shape.map((n, a) => (a === axis ? length : n)), dtype: first.dtype }];
    },
  },
  gather: {
    summary: 'elements picked along an axis by a tensor of indices',
    infer(inputs, { axis }) {
      expectInputs('gather', inputs, 2);
      const [x, indices] = inputs as [Spec, Spec];
      expectIndices('gather', x, indices, axis);
      return [{ shape: indices.shape, dtype: x.dtype }];
    },
  },
  scatterAdd: {
    summary: 'updates added at indices along an axis',
    infer(inputs, { axis }) {
      expectInputs('scatterAdd', inputs, 3);
      const [x, indices, updates] = inputs as [Spec, Spec, Spec];
      expectIndices('scatterAdd', x, indices, axis);
      expectDtype('scatterAdd', 'the input', x, 'float32', 'int32');
      expectDtype('scatterAdd', 'updates', updates, x.dtype);
      expectShape('scatterAdd', 'updates', updates, indices.shape);
      return [x];
    },
  },
};
