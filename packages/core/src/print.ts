// How a tensor reads in a terminal: aligned numbers, the middle of long axes left out.

import { formatShape, type Data, type Dtype, type Shape, type Spec } from '@convoke/backend-api';

export type Nested = number | Nested[];

/** Elements as nested arrays; a number for rank 0. */
export function nest(data: ArrayLike<number>, shape: Shape, offset = 0): Nested {
  if (shape.length === 0) return data[offset]!;
  const [length, ...rest] = shape as [number, ...number[]];
  const step = rest.reduce((a, b) => a * b, 1);
  return Array.from({ length }, (_, i) => nest(data, rest, offset + i * step));
}

/** Longer axes show their first and last elements only. */
const EDGE = 3;

function formatNumber(value: number, dtype: Dtype): string {
  if (dtype === 'bool') return value ? 'true' : 'false';
  if (dtype !== 'float32' || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-4) ? value.toExponential(4) : value.toFixed(4);
}

function shownIndices(length: number): (number | null)[] {
  if (length <= 2 * EDGE) return Array.from({ length }, (_, i) => i);
  return [0, 1, 2, null, length - 3, length - 2, length - 1];
}

function formatBlock(
  data: Data,
  { shape, dtype }: Spec,
  axis: number,
  offset: number,
  width: number,
): string {
  if (axis === shape.length) return formatNumber(data[offset]!, dtype).padStart(width);
  const step = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const parts = shownIndices(shape[axis]!).map((i) =>
    i === null ? '...' : formatBlock(data, { shape, dtype }, axis + 1, offset + i * step, width),
  );
  const last = axis === shape.length - 1;
  return `[${parts.join(last ? ', ' : `,\n${' '.repeat(axis + 1)}`)}]`;
}

function shownWidth(data: Data, { shape, dtype }: Spec, axis = 0, offset = 0): number {
  if (axis === shape.length) return formatNumber(data[offset]!, dtype).length;
  const step = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const widths = shownIndices(shape[axis]!).map((i) =>
    i === null ? 0 : shownWidth(data, { shape, dtype }, axis + 1, offset + i * step),
  );
  return Math.max(0, ...widths);
}

export function formatTensor(spec: Spec, backend: string, data: Data | null): string {
  const head = `Tensor(${spec.dtype} ${formatShape(spec.shape)} on ${backend})`;
  return data ? `${head}\n${formatBlock(data, spec, 0, 0, shownWidth(data, spec))}` : head;
}
