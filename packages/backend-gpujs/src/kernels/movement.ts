// Ops that move elements: strided views, padding, joining, picking by index. Adding at indices is turned round: each element
// looks for the updates that name it, since a GPU without atomics cannot scatter.

import { broadcastStrides, sameShape, sizeOf, stridesOf, type Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { blocksOf, coordinates } from '../images.ts';
import { roundAxis, split, sumOf, walk } from '../indexing.ts';
import { literal, type Kit, type OpKernels, type Value } from '../kernel.ts';
import { Storage } from '../storage.ts';
import { hasImages } from './channel-sums.ts';

/** A tensor of `shape` whose elements lie in x at these strides. */
function view(kit: Kit, x: Buffer, shape: Shape, strides: readonly number[], offset = 0): Buffer {
  return kit.compute('each', shape, [x], ['x'], () => {
    const { code, at } = walk(shape, [strides], [offset]);
    return `${code}return x[${at[0]}];`;
  });
}

/** So many tensors are joined by one kernel; more by several. Contexts offer at least 16 textures. */
const MOST_JOINED = 8;

const joinedShape = (shapes: readonly Shape[], axis: number): Shape =>
  shapes[0]!.with(
    axis,
    shapes.reduce((sum, own) => sum + own[axis]!, 0),
  );

/** Joins buffers of elements, or of texels, that make up these shapes. */
function join(
  kit: Kit,
  of: 'elements' | 'texels',
  parts: readonly Buffer[],
  shapes: readonly Shape[],
  axis: number,
): Buffer {
  if (parts.length > MOST_JOINED) {
    const joined: Buffer[] = [];
    const joinedShapes: Shape[] = [];
    for (let at = 0; at < parts.length; at += MOST_JOINED) {
      const group = shapes.slice(at, at + MOST_JOINED);
      joined.push(kit.passing(join(kit, of, parts.slice(at, at + MOST_JOINED), group, axis)));
      joinedShapes.push(joinedShape(group, axis));
    }
    return join(kit, of, joined, joinedShapes, axis);
  }
  const shape = joinedShape(shapes, axis);
  const [outer, length, inner] = roundAxis(shape, axis);
  const runs = shapes.map((own) => own[axis]! * inner);
  const step = `join ${of} ${runs.join()}`;
  const names = parts.map((_, i) => `x${i}`);
  /** A statement for each input: `take` with its name, its place there and the end of its run in a row of all. */
  const picks = (
    row: string,
    at: string,
    take: (name: string, place: string, end: number) => string,
  ): string => {
    let start = 0;
    return runs
      .map((run, i) => {
        const place = sumOf(-start, [
          [row, run],
          [at, 1],
        ]);
        start += run;
        return run === 0 ? '' : take(names[i]!, place, start);
      })
      .join('');
  };
  if (of === 'texels') {
    return kit.launch(step, kit.texels(sizeOf(shape)), parts, () => ({
      arguments: names,
      glsl: `vec4 compute() {
${coordinates({ row: outer, at: length * inner })}${picks(
        'row',
        'at',
        (name, place, end) => `if (at < ${end}) return ${name}_at(${place});\n`,
      )}return vec4(0.0);
}`,
    }));
  }
  return kit.compute(step, shape, parts, names, () => {
    const { code, names: at } = split('i', [outer, length * inner], 'c');
    const reads = picks(
      at[0]!,
      at[1]!,
      (name, place, end) => `if (${at[1]} < ${end}) { return ${name}[${place}]; }\n`,
    );
    return `const i = this.thread.x;\n${code}${reads}return 0.0;`;
  });
}

/** Null where texels would be split, or nobody holds any. */
function joinImages(
  kit: Kit,
  inputs: readonly Value[],
  axis: number,
  output: Shape,
): Storage | null {
  const held = inputs.some(
    ({ spec: { shape }, storage: { flat, image } }) =>
      !flat && image && sameShape(image.shape, shape),
  );
  const whole = axis !== 1 || inputs.slice(0, -1).every(({ spec }) => spec.shape[1]! % 4 === 0);
  if (!held || !whole || !hasImages(kit, inputs)) return null;
  const images = inputs.map((input) => kit.image(input));
  const shapes = inputs.map(({ spec: { shape } }) => shape.with(1, blocksOf(shape[1]!)));
  return Storage.ofImage(join(kit, 'texels', images, shapes, axis), output);
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
  concat: (kit, inputs, { axis }, [output]) => [
    joinImages(kit, inputs, axis, output!.shape) ??
      join(
        kit,
        'elements',
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
