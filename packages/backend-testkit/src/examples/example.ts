// What an example is: one op with attributes and a way to draw its inputs. Most families of cases run over all examples.

import {
  definition,
  type Dtype,
  type OpAttributes,
  type OpName,
  type Spec,
} from '@convoke/backend-api';

import type { NaiveValue } from '../naive/value.ts';
import { Source, type Recipe } from '../source.ts';

export interface Example {
  readonly op: OpName;
  /** Unique among the op's examples. */
  readonly name: string;
  readonly attributes: OpAttributes[OpName];
  readonly inputs: readonly Recipe[];
  /** Whether gradients are checked: small and smooth where they are. */
  readonly differentiate: boolean;
}

interface Entry<K extends OpName> {
  readonly name: string;
  readonly attributes: OpAttributes[K];
  readonly inputs: readonly Recipe[];
  readonly differentiate?: boolean;
}

export function examplesOf<K extends OpName>(op: K, ...entries: readonly Entry<K>[]): Example[] {
  return entries.map(({ name, attributes, inputs, differentiate = true }) => ({
    op,
    name,
    attributes,
    inputs,
    differentiate:
      differentiate &&
      definition(op).gradient !== 'none' &&
      inputs.some((recipe) => wantsGradient(recipe)),
  }));
}

export function wantsGradient({ dtype = 'float32', gradient = true }: Recipe): boolean {
  return gradient && dtype === 'float32';
}

export function drawInputs({ op, name, inputs }: Example): NaiveValue[] {
  return new Source(`${op}/${name}`).tensors(inputs);
}

export function specOf({ shape, dtype = 'float32' }: Recipe): Spec {
  return { shape, dtype };
}

/** Which dtype the example needs that is not among `dtypes`, in words; null where there is none. */
export function lacking(example: Example, dtypes: readonly Dtype[]): string | null {
  const inputs = example.inputs.map(specOf);
  const outputs = definition(example.op).infer(inputs, example.attributes as never);
  const missing = [...inputs, ...outputs].find(({ dtype }) => !dtypes.includes(dtype));
  return missing ? `the backend declares no ${missing.dtype}` : null;
}
