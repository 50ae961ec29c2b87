// Ops that move elements: strided views, padding, joining, picking by index. Adding at indices is turned round: each element
// looks for the updates that name it, since a GPU without atomics cannot scatter.

import { broadcastStrides, sizeOf, stridesOf, type Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { roundAxis, split, sumOf, walk } from '../indexing.ts';
import { literal, type Kit, type OpKernels } from '../kernel.ts';

/** A tensor of `shape` whose elements lie in x at these strides. */
function view(kit: Kit, x: Buffer, shape: Shape, strides: readonly number[], offset = 0): Buffer {
  return kit.compute('each', shape, [x], ['x'], () => {
    const { code, at } = walk(shape, [strides], [offset]);
    return `${code}return x[${at[0]}];`;
  });
}

/** So many tensors are joined by one kernel; more by several. Contexts offer at least 16 textures. */
const MOST_JOINED = 8;

function join(kit: Kit, parts: readonly Buffer[], shapes: readonly Shape[], axis: number): Buffer {
  const shape = shapes[0]!.map((length, other) =>
    other === axis ? shapes.reduce((sum, own) => sum + own[axis]!, 0) : length,
  );
  if (parts.length > MOST_JOINED) {
    const joined: Buffer[] = [];
    const joinedShapes: Shape[] = [];
    for (let at = 0; at < parts.length; at += MOST_JOINED) {
      const group = shapes.slice(at, at + MOST_JOINED);
      joined.push(kit.passing(join(kit, parts.slice(at, at + MOST_JOINED), group, axis)));
      joinedShapes.push(
        shape.map((length, other) =>
          other === axis ? group.reduce((sum, own) => sum + own[axis]!, 0) : length,
        ),
      );
    }
    return join(kit, joined, joinedShapes, axis);
  }
  const lengths = shapes.map((own) => own[axis]!);
  const names = parts.map((_, i) => `x${i}`);
  return kit.compute(`join ${lengths.join()}`, shape, parts, names, () => {
    const [outer, length, inner] = roundAxis(shape, axis);
    const { code, names: at } = split('i', [outer, length, inner], 'c');
    let picks = '';
    let start = 0;
    for (const [i, own] of lengths.entries()) {
      const index = sumOf(-start * inner, [
        [at[0]!, own * inner],
        [at[1]!, inner],
        [at[2]!, 1],
      ]);
      if (own > 0) {
        picks += `if (${at[1]} >= ${start} && ${at[1]} < ${start + own}) { y = x${i}[${index}]; }\n`;
      }
      start += own;
    }
    return `const i = this.thread.x;\n${code}let y = 0.0;\n${picks}return y;`;
  });
}

export const movementKernels: OpKernels = {
  reshape: (_, [x]) => [x!.storage],
  permute: (kit, [x], { permutation }, [output]) => {
    const strides = stridesOf(x!.spec.shape);
    return [
      view(
        kit,
        kit.flat(x!),
        output!.shape,
        permutation.map((axis) => strides[axis]!),
      ),
    ];
  },
  broadcastTo: (kit, [x], { shape }) => [
    view(kit, kit.flat(x!), shape, broadcastStrides(x!.spec.shape, shape)),
  ],
  slice: (kit, [x], { starts, sizes, steps }) => {
    const strides = stridesOf(x!.spec.shape);
    const offset = starts.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
    return [
      view(
        kit,
        kit.flat(x!),
        sizes,
        strides.map((stride, axis) => stride * steps[axis]!),
        offset,
      ),
    ];
  },
  flip: (kit, [x], { axes }, [output]) => {
    const { shape } = output!;
    const strides = stridesOf(shape);
    const offset = axes.reduce((sum, axis) => sum + (shape[axis]! - 1) * strides[axis]!, 0);
    return [
      view(
        kit,
        kit.flat(x!),
        shape,
        strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride)),
        offset,
      ),
    ];
  },
  pad: (kit, [x], { before, interior, value }, [output]) => [
    kit.compute('each', output!.shape, [kit.flat(x!)], ['x'], () => {
      const from = x!.spec.shape;
      if (sizeOf(from) === 0) return `return ${literal(value)};`;
      const strides = stridesOf(from);
      const { code, names } = split('i', output!.shape, 'c');
      let inner = 'y = x[at];';
      let at = '0';
      for (const axis of from.keys()) {
        const step = interior[axis]! + 1;
        const name = `s${axis}`;
        const place = step === 1 ? name : `idiv(${name}, ${step})`;
        at += ` + ${place} * ${strides[axis]}`;
      }
      inner = `y = x[${at}];`;
      for (const axis of from.keys()) {
        const step = interior[axis]! + 1;
        const name = `s${axis}`;
        const whole = step === 1 ? '' : ` && imod(${name}, ${step}) === 0`;
        const reach = (from[axis]! - 1) * step + 1;
        inner = `const ${name} = ${names[axis]} - ${before[axis]};\nif (${name} >= 0 && ${name} < ${reach}${whole}) {\n${inner}\n}`;
      }
      return `const i = this.thread.x;\n${code}let y = ${literal(value)};\n${inner}\nreturn y;`;
    }),
  ],
  concat: (kit, inputs, { axis }) => [
    join(
      kit,
      inputs.map((input) => kit.flat(input)),
      inputs.map(({ spec }) => spec.shape),
      axis,
    ),
  ],
  // An index out of range gives 0.
  gather: (kit, [x, indices], { axis }, [output]) => [
    kit.compute('each', output!.shape, [kit.flat(x!), kit.flat(indices!)], ['x', 'indices'], () => {
      const [outer, picks, inner] = roundAxis(output!.shape, axis);
      const length = x!.spec.shape[axis]!;
      const { code, names } = split('i', [outer, picks, inner], 'c');
      const at = sumOf(0, [
        [names[0]!, length * inner],
        ['k', inner],
        [names[2]!, 1],
      ]);
      return `const i = this.thread.x;\n${code}const k = whole(indices[i]);\nlet y = 0.0;\nif (k >= 0 && k < ${length}) { y = x[${at}]; }\nreturn y;`;
    }),
  ],
  scatterAdd: (kit, [x, indices, updates], { axis }, [output]) => [
    kit.compute(
      'each',
      output!.shape,
      [x, indices, updates].map((value) => kit.flat(value!)),
      ['x', 'indices', 'updates'],
      () => {
        const [outer, length, inner] = roundAxis(output!.shape, axis);
        const picks = indices!.spec.shape[axis]!;
        const { code, names } = split('i', [outer, length, inner], 'c');
        const base = sumOf(0, [
          [names[0]!, picks * inner],
          [names[2]!, 1],
        ]);
        return `const i = this.thread.x;
${code}const base = ${base};
let y = x[i];
for (let k = 0; k < ${picks}; k++) {
  const at = base + k * ${inner};
  if (whole(indices[at]) === ${names[1]}) { y = y + updates[at]; }
}
return y;`;
      },
    ),
  ],
};
