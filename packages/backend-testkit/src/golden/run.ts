// Runs one case with core's functions on a backend: uploads, computes, differentiates, reads and compares. Everything it
// makes is disposed, whatever happens.

import { DataError, formatShape, sizeOf, type Backend } from '@convoke/backend-api';
import { fromHost, grad, onBackend, parameter, scope, type Tensor } from '@convoke/core';

import type {
  CaseResult,
  CaseRunner,
  GoldenCase,
  GoldenTensor,
  Precision,
  TensorResult,
} from './case.ts';
import { allowance, compareTensor, valuesOf } from './compare.ts';
import type { Kind } from './kind.ts';
import { kindOf } from './recognize.ts';

function checkSize(name: string, { shape, data }: GoldenTensor): void {
  if (data.length !== sizeOf(shape)) {
    throw new DataError(
      `golden case: '${name}' has ${data.length} values for shape ${formatShape(shape)}, expected ${sizeOf(shape)}; the file is damaged`,
    );
  }
}

function upload(name: string, tensor: GoldenTensor, backend: Backend): Tensor {
  checkSize(name, tensor);
  const values = valuesOf(tensor);
  const { shape } = tensor;
  return tensor.dtype === 'i64'
    ? fromHost({ shape, dtype: 'int32' }, Int32Array.from(values), backend)
    : fromHost({ shape, dtype: 'float32' }, Float32Array.from(values), backend);
}

/** The computed tensors under the names of the file. Synchronous: the scope frees all else. */
function computeTensors(
  kind: Kind,
  goldenCase: GoldenCase,
  inputs: ReadonlyMap<string, Tensor>,
  backend: Backend,
): Record<string, Tensor> {
  const results = kind.compute(
    {
      find: (name) => inputs.get(name),
      of: (name) => {
        const tensor = inputs.get(name);
        if (!tensor)
          throw new DataError(`golden case: a ${kind.name} case needs an input '${name}'`);
        return tensor;
      },
    },
    goldenCase.attrs,
    goldenCase,
  );
  const wanted = [...inputs].filter(
    ([name]) => goldenCase.outputs && `g_${name}` in goldenCase.outputs,
  );
  const { y } = results;
  if (wanted.length === 0 || !y) return results;
  const { upstream } = goldenCase;
  const gradient = upstream ? { gradient: upload('upstream', upstream, backend) } : {};
  const gradients = grad(
    y,
    wanted.map(([, tensor]) => tensor),
    gradient,
  );
  for (const [i, [name]] of wanted.entries()) results[`g_${name}`] = gradients[i]!;
  return results;
}

async function runKind(
  kind: Kind,
  goldenCase: GoldenCase,
  backend: Backend,
  precision: Precision,
): Promise<CaseResult> {
  const expected = kind.expected?.(goldenCase) ?? goldenCase.outputs ?? {};
  for (const [name, tensor] of Object.entries(expected)) checkSize(name, tensor);
  const inputs = new Map<string, Tensor>();
  let results: Record<string, Tensor> = {};
  try {
    for (const [name, tensor] of Object.entries(goldenCase.inputs ?? {})) {
      const value = upload(name, tensor, backend);
      const differentiated = goldenCase.outputs !== undefined && `g_${name}` in goldenCase.outputs;
      inputs.set(name, differentiated ? parameter(value) : value);
    }
    results = onBackend(backend, () =>
      scope(() => computeTensors(kind, goldenCase, inputs, backend)),
    );
    const share = allowance(backend, precision);
    const tensors = await Promise.all(
      Object.entries(expected).map(async ([name, reference]): Promise<TensorResult> => {
        const actual = results[name];
        if (!actual) {
          const reason = `a ${kind.name} case gives no output '${name}'`;
          return { name, error: Infinity, tolerance: 0, reason };
        }
        const { shape } = actual;
        return compareTensor(
          name,
          { shape, data: await actual.data() },
          reference,
          goldenCase,
          share,
        );
      }),
    );
    return { tensors };
  } finally {
    for (const tensor of Object.values(results)) tensor.dispose();
    for (const tensor of inputs.values()) tensor.dispose();
  }
}

/** Recognises the cases that core's ops compute: all but optimisers, schedules and gradient clipping. */
export function recognize(goldenCase: GoldenCase): CaseRunner | null {
  const kind = kindOf(goldenCase);
  if (!kind) return null;
  return (backend, { precision }) => runKind(kind, goldenCase, backend, precision);
}
