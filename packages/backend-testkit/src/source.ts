// Seeded inputs. Each case draws from a source named after it, so that a case's numbers never depend on which others ran.

import { sizeOf, threefry2x32, type Dtype, type Shape, type Spec } from '@convoke/backend-api';

import type { NaiveValue } from './naive/value.ts';

/** How to draw one input tensor. Numbers are multiples of 1/4096, hence exact in float32. */
export interface Recipe {
  readonly shape: Shape;
  /** Default float32. */
  readonly dtype?: Dtype;
  /** Default [-1.5, 1.5); whole numbers for other dtypes than float32, default [-9, 9), [0, 9) or bools. */
  readonly range?: readonly [number, number];
  /** Kinks and poles: float32 values keep a distance of 0.03 from these. */
  readonly avoid?: readonly number[];
  /** All elements differ, so that extremes have no ties. */
  readonly distinct?: boolean;
  /** The very elements, repeated as needed, instead of drawn ones. */
  readonly values?: readonly number[];
  /** Computed from the inputs drawn before it, and rounded to float32. */
  readonly derived?: (drawn: readonly NaiveValue[]) => NaiveValue;
  /** Whether gradients with respect to this input are checked. Default: float32 inputs. */
  readonly gradient?: boolean;
}

const DISTANCE = 0.03;

export class Source {
  readonly #key: number;
  #counter = 0;

  constructor(name: string) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    this.#key = hash;
  }

  /** Uniform in [0, 1), a multiple of 2^-24. */
  uniform(): number {
    return (threefry2x32(this.#key, 0, this.#counter++, 0)[0] >>> 8) / 2 ** 24;
  }

  /** A whole number from `low` to `high - 1`. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low));
  }

  /** One of `choices`. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.whole(0, choices.length)]!;
  }

  tensors(recipes: readonly Recipe[]): NaiveValue[] {
    const drawn: NaiveValue[] = [];
    for (const recipe of recipes) {
      const value = recipe.derived?.(drawn);
      drawn.push(
        value ? { spec: value.spec, data: value.data.map(Math.fround) } : this.tensor(recipe),
      );
    }
    return drawn;
  }

  tensor(recipe: Recipe): NaiveValue {
    const { shape, dtype = 'float32', values } = recipe;
    const spec: Spec = { shape, dtype };
    const size = sizeOf(shape);
    const data = new Float64Array(size);
    if (values) return { spec, data: data.map((_, i) => values[i % values.length]!) };
    if (recipe.distinct) return { spec, data: this.#distinct(size, recipe) };
    return { spec, data: data.map(() => this.#element(dtype, recipe)) };
  }

  #element(dtype: Dtype, { range, avoid = [] }: Recipe): number {
    if (dtype === 'bool') return this.whole(0, 2);
    if (dtype !== 'float32')
      return this.whole(...(range ?? ([dtype === 'uint8' ? 0 : -9, 9] as const)));
    const [low, high] = range ?? [-1.5, 1.5];
    for (;;) {
      const value = Math.round((low + this.uniform() * (high - low)) * 4096) / 4096;
      if (avoid.every((kink) => Math.abs(value - kink) >= DISTANCE)) return value;
    }
  }

  /** Evenly spaced numbers in a random order. */
  #distinct(size: number, { dtype = 'float32', range = [-1.5, 1.5] }: Recipe): Float64Array {
    const step = dtype === 'float32' ? Math.ceil(((range[1] - range[0]) / size) * 4096) / 4096 : 1;
    const data = new Float64Array(size).map((_, i) => (i - Math.floor(size / 2)) * step);
    for (let i = size - 1; i > 0; i--) {
      const j = this.whole(0, i + 1);
      [data[i], data[j]] = [data[j]!, data[i]!];
    }
    return data;
  }
}
