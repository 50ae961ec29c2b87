// Mistakes that `run` must see: it throws at once, in the catalogue's words, before it takes any donation.

import {
  createMeta,
  isRequired,
  opNames,
  sizeOf,
  allocate,
  type OpAttributes,
  type OpName,
  type Spec,
} from '@convoke/backend-api';
import { dispatch, fromHost } from '@convoke/core';

import { check, holds, put, release, throws } from '../check.ts';
import type { Draft } from '../lab.ts';

interface Mistake {
  readonly what: string;
  readonly op: OpName;
  readonly inputs: readonly Spec[];
  readonly attributes: unknown;
  readonly code: 'shape' | 'dtype';
}

const float = (...shape: number[]): Spec => ({ shape, dtype: 'float32' });
const int = (...shape: number[]): Spec => ({ shape, dtype: 'int32' });

const conv: OpAttributes['conv2d'] = {
  stride: [1, 1],
  padding: [0, 0, 0, 0],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
};
const window: OpAttributes['maxPool2d'] = {
  kernelSize: [2, 2],
  stride: [2, 2],
  padding: [0, 0, 0, 0],
  dilation: [1, 1],
};

function mistake(
  op: OpName,
  what: string,
  code: Mistake['code'],
  inputs: readonly Spec[],
  attributes: unknown = {},
): Mistake {
  return { what, op, inputs, attributes, code };
}

const mistakes: readonly Mistake[] = [
  mistake('exp', 'two inputs', 'shape', [float(2), float(2)]),
  mistake('exp', 'whole numbers', 'dtype', [int(2)]),
  mistake('add', 'shapes that do not broadcast', 'shape', [float(2, 3), float(2)]),
  mistake('add', 'two dtypes', 'dtype', [float(2), int(2)]),
  mistake('div', 'whole numbers', 'dtype', [int(2), int(2)]),
  mistake('select', 'a condition that is no bool', 'dtype', [float(2), float(2), float(2)]),
  mistake('reduceSum', 'an axis out of range', 'shape', [float(2, 3)], {
    axes: [2],
    keepDims: false,
  }),
  mistake('reduceSum', 'an axis twice', 'shape', [float(2, 3)], { axes: [1, 1], keepDims: false }),
  mistake('reduceMax', 'nothing to choose from', 'shape', [float(0)], {
    axes: [0],
    keepDims: false,
  }),
  mistake('argMax', 'an axis of a scalar', 'shape', [float()], { axis: 0, keepDims: false }),
  mistake('sort', 'bools', 'dtype', [{ shape: [2], dtype: 'bool' }], {
    axis: 0,
    descending: false,
  }),
  mistake('reshape', 'another number of elements', 'shape', [float(6)], { shape: [4] }),
  mistake('reshape', 'a negative length', 'shape', [float(6)], { shape: [-6] }),
  mistake('permute', 'an axis twice', 'shape', [float(2, 3)], { permutation: [0, 0] }),
  mistake('broadcastTo', 'a shape that does not fit', 'shape', [float(3)], { shape: [2] }),
  mistake('broadcastTo', 'seven axes', 'shape', [float(1)], { shape: [1, 1, 1, 1, 1, 1, 1] }),
  mistake('pad', 'a negative length', 'shape', [float(3)], {
    before: [-1],
    after: [0],
    interior: [0],
    value: 0,
  }),
  mistake('slice', 'an end beyond the axis', 'shape', [float(3)], {
    starts: [2],
    sizes: [2],
    steps: [1],
  }),
  mistake('slice', 'a step of zero', 'shape', [float(3)], { starts: [0], sizes: [2], steps: [0] }),
  mistake('concat', 'other lengths off the axis', 'shape', [float(2, 3), float(2, 4)], { axis: 0 }),
  mistake('concat', 'two dtypes', 'dtype', [float(2), int(2)], { axis: 0 }),
  mistake('gather', 'real indices', 'dtype', [float(3), float(2)], { axis: 0 }),
  mistake('gather', 'indices of another rank', 'shape', [float(3, 2), int(2)], { axis: 0 }),
  mistake('scatterAdd', 'updates of another shape', 'shape', [float(3), int(2), float(3)], {
    axis: 0,
  }),
  mistake('matmul', 'inner lengths that differ', 'shape', [float(2, 3), float(2, 3)], {
    transposeA: false,
    transposeB: false,
  }),
  mistake('matmul', 'a vector', 'shape', [float(3), float(3, 2)], {
    transposeA: false,
    transposeB: false,
  }),
  mistake('matmul', 'whole numbers', 'dtype', [int(2, 2), float(2, 2)], {
    transposeA: false,
    transposeB: false,
  }),
  mistake(
    'conv2d',
    'another number of channels',
    'shape',
    [float(1, 3, 4, 4), float(2, 2, 3, 3)],
    conv,
  ),
  mistake(
    'conv2d',
    'a kernel beyond the image',
    'shape',
    [float(1, 1, 2, 4), float(1, 1, 3, 3)],
    conv,
  ),
  mistake('conv2d', 'a stride of zero', 'shape', [float(1, 1, 4, 4), float(1, 1, 3, 3)], {
    ...conv,
    stride: [0, 1],
  }),
  mistake('conv2d', 'groups that do not divide', 'shape', [float(1, 4, 4, 4), float(3, 2, 3, 3)], {
    ...conv,
    groups: 2,
  }),
  mistake('conv2d', 'an image without batch', 'shape', [float(1, 4, 4), float(1, 1, 3, 3)], conv),
  mistake('maxPool2d', 'negative padding', 'shape', [float(1, 1, 4, 4)], {
    ...window,
    padding: [-1, 0, 0, 0],
  }),
  mistake('sumPool2d', 'a window beyond the image', 'shape', [float(1, 1, 1, 4)], window),
  mistake('randomBits', 'a key of another length', 'shape', [int(3)], { shape: [2] }),
];

function caseOf({ op, what, inputs, attributes, code }: Mistake): Draft {
  return {
    id: `misuse/${op}/${what}`,
    run({ backend }) {
      const { dtypes } = backend.capabilities;
      const missing = inputs.find(({ dtype }) => !dtypes.includes(dtype));
      if (missing) return `the backend declares no ${missing.dtype}`;
      const handles = inputs.map((spec) =>
        backend.upload(spec, allocate(spec.dtype, sizeOf(spec.shape))),
      );
      const before = backend.memory();
      const positions = [...inputs.keys()];
      throws(
        `run('${op}') with ${what}`,
        () => backend.run(op, handles, attributes as never, positions),
        code,
      );
      const after = backend.memory();
      check(
        after.handles === before.handles && after.bytes === before.bytes,
        `run('${op}') threw, but live memory changed: a donation was taken or an output left behind`,
      );
      release(backend, ...handles);
      return undefined;
    },
  };
}

export const misuseCases: readonly Draft[] = [
  ...mistakes.map(caseOf),
  {
    id: 'misuse/a donated input survives an op that throws',
    async run({ backend }) {
      const [x, y] = [put(backend, [1, 2]), put(backend, [1, 2, 3])];
      throws('add of lengths 2 and 3', () => backend.run('add', [x, y], {}, [0, 1]), 'shape');
      await holds('the first input', backend, x, [1, 2]);
      await holds('the second input', backend, y, [1, 2, 3]);
      release(backend, x, y);
    },
  },
  {
    id: 'misuse/required ops are supported, and what is not is refused',
    run({ backend }) {
      const x = float(2, 3);
      check(
        backend.supports('reduceSum', [x], { axes: [0], keepDims: false }),
        'supports() denies a required op',
      );
      check(opNames.filter(isRequired).length > 0, 'the catalogue has no required ops');
      if (backend.supports('mish', [x], {})) return;
      const handle = put(backend, [1, 2, 3, 4, 5, 6], [2, 3]);
      throws(
        "run of 'mish', which supports() denies",
        () => backend.run('mish', [handle], {}, [0]),
        'backend-unsupported',
      );
      backend.release(handle);
    },
  },
  {
    id: 'misuse/tensors of two backends do not mix',
    run({ backend }) {
      const meta = createMeta();
      const here = fromHost(float(2), Float32Array.of(1, 2), backend);
      const there = fromHost(float(2), Float32Array.of(1, 2), meta);
      throws('add across backends', () => dispatch('add', [here, there], {}), 'backend-mixed');
      here.dispose();
      there.dispose();
    },
  },
];
