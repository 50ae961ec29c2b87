// Seeded random numbers. Counter-based: the n-th draw of stream s under a seed is a pure function of (seed, s, n), so that
// a run can be saved, resumed and replayed.

import {
  DataError,
  threefry2x32,
  type Backend,
  type OpAttributes,
  type OpName,
  type Shape,
} from '@convoke/backend-api';

import { currentBackend, fromHost, onBackend } from './creation.ts';
import { run } from './dispatch.ts';
import { noGrad } from './grad-mode.ts';
import { scope } from './scope.ts';
import type { Tensor } from './tensor.ts';

export interface GeneratorState {
  readonly seed: number;
  readonly stream: number;
  readonly draws: number;
}

export interface DrawOptions {
  /** Default: the current backend. */
  readonly backend?: Backend | undefined;
}

export interface UniformOptions extends DrawOptions {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

export interface NormalOptions extends DrawOptions {
  readonly mean?: number | undefined;
  /** Standard deviation. */
  readonly std?: number | undefined;
}

function expectUint32(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new DataError(`Generator: ${what} must be a whole number in [0, 2^32), got ${value}`);
  }
}

/** Numbers 0..count-1 in an order that is a pure function of the key (Fisher-Yates). */
export function permutation(count: number, seed: number, stream = 0, index = 0): Int32Array {
  if (!Number.isInteger(count) || count < 0) {
    throw new DataError(`permutation: count must be a whole number >= 0, got ${count}`);
  }
  const [key0, key1] = threefry2x32(seed, stream, index, 0);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const [word] = threefry2x32(key0, key1, i, 0);
    const other = Math.floor((word / 2 ** 32) * (i + 1));
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}

export class Generator {
  readonly seed: number;
  readonly stream: number;
  #draws = 0;

  /** Streams under one seed are independent of each other. */
  constructor(seed: number, stream = 0) {
    expectUint32('seed', seed);
    expectUint32('stream', stream);
    this.seed = seed;
    this.stream = stream;
  }

  static restore({ seed, stream, draws }: GeneratorState): Generator {
    const generator = new Generator(seed, stream);
    expectUint32('draws', draws);
    generator.#draws = draws;
    return generator;
  }

  /** What `restore` needs to go on exactly here. */
  state(): GeneratorState {
    return { seed: this.seed, stream: this.stream, draws: this.#draws };
  }

  /** The key of the next draw, for the op `randomBits`. */
  nextKey(): Int32Array {
    return Int32Array.from(threefry2x32(this.seed, this.stream, this.#draws++, 1));
  }

  /** Numbers 0..count-1 in random order, on the host. */
  permutation(count: number): Int32Array {
    const [key0, key1] = this.nextKey();
    return permutation(count, key0!, key1!);
  }

  /** Uniform in [min, max), default [0, 1); 2^24 equally spaced values. */
  uniform(shape: Shape, options: UniformOptions = {}): Tensor {
    const { min = 0, max = 1, backend } = options;
    if (!(min <= max) || !Number.isFinite(max - min)) {
      throw new DataError(`uniform: expected finite min <= max, got min ${min}, max ${max}`);
    }
    return this.#compute(backend, () => {
      const unit = multiply(this.#bits(shape), 2 ** -24);
      if (min === 0) return max === 1 ? unit : multiply(unit, max);
      // Adding can round up to max itself.
      const value = plus(multiply(unit, max - min), min);
      return min === max ? value : turn('minimum', [value, number(floatBelow(max))], {});
    });
  }

  /** Normal by Box-Muller, default mean 0 and standard deviation 1. */
  normal(shape: Shape, options: NormalOptions = {}): Tensor {
    const { mean = 0, std = 1, backend } = options;
    if (!(std >= 0)) throw new DataError(`normal: expected std >= 0, got ${std}`);
    return this.#compute(backend, () => {
      // In (0, 1]: the logarithm stays finite.
      const first = multiply(plus(this.#bits(shape), 1), 2 ** -24);
      const angle = multiply(this.#bits(shape), 2 * Math.PI * 2 ** -24);
      const radius = turn('sqrt', [multiply(turn('log', [first], {}), -2)], {});
      return plus(multiply(turn('mul', [radius, turn('cos', [angle], {})], {}), std), mean);
    });
  }

  /** Normal restricted to [min, max], which lie `min` and `max` in the units of the result; default mean ± 2 std. */
  truncatedNormal(shape: Shape, options: NormalOptions & UniformOptions = {}): Tensor {
    const { mean = 0, std = 1, backend } = options;
    const { min = mean - 2 * std, max = mean + 2 * std } = options;
    if (!(min < max) || !(std > 0)) {
      throw new DataError(
        `truncatedNormal: expected min < max and std > 0, got min ${min}, max ${max}, std ${std}`,
      );
    }
    // Uniform between the distribution function's values at the bounds, taken back through its inverse.
    const [low, high] = [min, max].map((bound) => erf((bound - mean) / std / Math.SQRT2)) as [
      number,
      number,
    ];
    return this.#compute(backend, () => {
      const centred = multiply(plus(this.#bits(shape), 0.5), 2 ** -24);
      const x = plus(multiply(centred, high - low), low);
      const value = plus(multiply(inverseErf(x), std * Math.SQRT2), mean);
      return turn('clamp', [value], { min, max });
    });
  }

  /** 1 with probability p, 0 otherwise, as float32. */
  bernoulli(shape: Shape, p: number, options: DrawOptions = {}): Tensor {
    if (!(p >= 0 && p <= 1)) throw new DataError(`bernoulli: p must lie in [0, 1], got ${p}`);
    return this.#compute(options.backend, () => {
      const below = turn('less', [this.#bits(shape), number(p * 2 ** 24)], {});
      return turn('cast', [below], { dtype: 'float32' });
    });
  }

  /** Whole numbers in [0, 2^24) as float32, which holds them exactly. */
  #bits(shape: Shape): Tensor {
    const key = fromHost({ shape: [2], dtype: 'int32' }, this.nextKey());
    return turn('cast', [run('randomBits', [key], { shape })], { dtype: 'float32' });
  }

  #compute(backend: Backend | undefined, f: () => Tensor): Tensor {
    if (backend === undefined) return noGrad(() => scope(f));
    return onBackend(backend, () => noGrad(() => scope(f)));
  }
}

function number(value: number): Tensor {
  return run('fill', [], { shape: [], dtype: 'float32', value }, { backend: currentBackend() });
}

/** The largest float32 below `value`. */
function floatBelow(value: number): number {
  const float = Float32Array.of(value);
  if (float[0]! < value) return float[0]!;
  if (value === 0) return -(2 ** -149);
  // Neighbouring floats have neighbouring bit patterns.
  const bits = new Int32Array(float.buffer);
  bits[0] = bits[0]! + (value > 0 ? -1 : 1);
  return float[0]!;
}

/** The op's first input becomes its output: a draw needs no more memory than a few times the tensor drawn. */
function turn<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attributes: OpAttributes[K],
): Tensor {
  return run(op, inputs, attributes, { donate: [0] });
}

function plus(a: Tensor, b: number): Tensor {
  return turn('add', [a, number(b)], {});
}

function multiply(a: Tensor, b: number): Tensor {
  return turn('mul', [a, number(b)], {});
}

/** Error function by its series near 0 and a continued fraction beyond; accurate to float64's last digits. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = size;
    let sum = size;
    for (let n = 1; n < 80; n++) {
      term *= (-size * size) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * (2 / Math.sqrt(Math.PI));
  }
  let fraction = size;
  for (let n = 60; n > 0; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-size * size) / (fraction * Math.sqrt(Math.PI)));
}

// Giles, "Approximating the erfinv function", 2010: polynomials in w = -log(1 - x^2), highest power first.
const CENTRAL = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503,
  -0.00417768164, 0.246640727, 1.50140941,
];
const TAIL = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
  0.00943887047, 1.00167406, 2.83297682,
];

function inverseErf(x: Tensor): Tensor {
  const horner = (coefficients: readonly number[], w: Tensor): Tensor =>
    coefficients
      .slice(1)
      .reduce(
        (sum, coefficient) => plus(turn('mul', [sum, w], {}), coefficient),
        plus(run('mul', [w, number(0)], {}), coefficients[0]!),
      );
  const w = multiply(turn('log1p', [multiply(run('square', [x], {}), -1)], {}), -1);
  const near = run('less', [w, number(5)], {});
  const central = horner(CENTRAL, run('add', [w, number(-2.5)], {}));
  const tail = horner(TAIL, plus(turn('sqrt', [w], {}), -3));
  return turn('mul', [x, run('select', [near, central, tail], {})], {});
}
