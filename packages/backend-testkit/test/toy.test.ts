// A stranger's backend passes the suite; with one mistake planted, the suite names the cases that find it.

import { readFileSync } from 'node:fs';

import type { Backend, BackendFactory } from '@convoke/backend-api';
import { describe, expect, test } from 'vitest';

import {
  describeConformance,
  naive,
  runConformance,
  toData,
  type NaiveValue,
} from '../src/index.ts';
import { createToy, toy, type Kernels, type Value } from './toy.ts';

const asNaive = ({ shape, dtype, data }: Value): NaiveValue => ({
  spec: { shape, dtype },
  data: Float64Array.from(data),
});

/** Planes turned by 180 degrees. */
const turn = (value: NaiveValue): NaiveValue => naive.run('flip', [value], { axes: [2, 3] })[0]!;

/** Ids of the cases that fail. */
async function failing(factory: BackendFactory, only: RegExp): Promise<string[]> {
  const { cases } = await runConformance(factory, { only });
  return cases.filter(({ status }) => status === 'failed').map(({ id }) => id);
}

async function failingWith(kernels: Kernels, only: RegExp): Promise<string[]> {
  return failing(toy(kernels), only);
}

/** A toy with methods replaced: the ways in which a backend breaks the contract around its kernels. */
function breaching(breach: (backend: Backend) => Partial<Backend>): BackendFactory {
  return {
    ...toy(),
    create: async () => {
      const backend = createToy();
      return { ...backend, ...breach(backend) };
    },
  };
}

describeConformance({ describe, test }, toy());

describe('planted mistakes', () => {
  test('the toy shares no code with the naive reference', () => {
    const source = readFileSync(new URL('toy.ts', import.meta.url), 'utf8');
    expect(source).not.toMatch(/from '\.\.\/src/);
  });

  test('an input gradient with flipped sign is found by values, gradients and the fused family', async () => {
    const kernels: Kernels = {
      conv2dInputGradient: (attributes, _, gradient, filter) => {
        const [right] = naive.run(
          'conv2dInputGradient',
          [asNaive(gradient!), asNaive(filter!)],
          attributes,
        );
        return [toData({ spec: right!.spec, data: right!.data.map((value) => -value) })];
      },
    };
    const found = await failingWith(kernels, /conv2d(InputGradient)?\/(same|valid)$/);
    expect(found).toEqual([
      'forward/conv2dInputGradient/valid',
      'forward/conv2dInputGradient/same',
      'donated inputs/conv2dInputGradient/valid',
      'donated inputs/conv2dInputGradient/same',
      'gradient/conv2d/valid',
      'gradient/conv2d/same',
      'second order/conv2d/valid',
      'second order/conv2dInputGradient/valid',
      'second order/conv2d/same',
      'second order/conv2dInputGradient/same',
      'fused/conv2dInputGradient/valid',
      'fused/conv2dInputGradient/same',
    ]);
  });

  test('an input gradient that swaps top and bottom padding is found wherever they differ', async () => {
    const kernels: Kernels = {
      conv2dInputGradient: (attributes, _, gradient, filter) => {
        const [top, bottom, left, right] = attributes.padding;
        const swapped = { ...attributes, padding: [bottom, top, left, right] as const };
        const inputs = [asNaive(gradient!), asNaive(filter!)];
        return [toData(naive.run('conv2dInputGradient', inputs, swapped)[0]!)];
      },
    };
    expect(await failingWith(kernels, /^gradient\/conv2d\//)).toEqual([
      'gradient/conv2d/uneven padding',
      'gradient/conv2d/stride',
      'gradient/conv2d/transposed',
      'gradient/conv2d/cropping',
      'gradient/conv2d/everything',
    ]);
  });

  test('a maximum at the wrong index is found by values and by the gradient', async () => {
    const kernels: Kernels = {
      maxPool2d: (attributes, _, x) => {
        const [values, indices] = naive.run('maxPool2d', [asNaive(x!)], attributes);
        const [height, width] = x!.shape.slice(2) as [number, number];
        const transposed = indices!.data.map((index) =>
          index < 0 ? index : (index % width) * height + Math.floor(index / width),
        );
        return [toData(values!), toData({ spec: indices!.spec, data: transposed })];
      },
    };
    const found = await failingWith(
      kernels,
      /(forward|gradient)\/maxPool2d\/(halving|whole plane)$/,
    );
    expect(found).toEqual([
      'forward/maxPool2d/halving',
      'forward/maxPool2d/whole plane',
      'gradient/maxPool2d/halving',
      'gradient/maxPool2d/whole plane',
    ]);
  });

  test('the last of equal maxima instead of the first is found by the examples with ties', async () => {
    const kernels: Kernels = {
      maxPool2d: (attributes, _, x) => {
        // Turned by 180 degrees, last is first.
        const shape = x!.shape;
        const [top, bottom, left, right] = attributes.padding;
        const [values, indices] = naive.run('maxPool2d', [turn(asNaive(x!))], {
          ...attributes,
          padding: [bottom, top, right, left],
        });
        const last = shape[2]! * shape[3]! - 1;
        const mirrored = turn(indices!).data.map((index) => last - index);
        return [toData(turn(values!)), toData({ spec: indices!.spec, data: mirrored })];
      },
    };
    const found = await failingWith(kernels, /forward\/maxPool2d\/(halving|whole plane)/);
    expect(found).toEqual([
      'forward/maxPool2d/halving, ties',
      'forward/maxPool2d/whole plane, ties',
    ]);
  });
});

describe('breaches of the contract', () => {
  const contract = /^(ownership|donated|reading|disposal|misuse|late errors|factory)\//;

  test.each<[string, string, (backend: Backend) => Partial<Backend>]>([
    [
      'a read that hands out one array to all',
      'reading/one value many times at once',
      (backend) => {
        const reads = new WeakMap<object, ReturnType<Backend['read']>>();
        return {
          read: (handle) => {
            if (!reads.has(handle)) reads.set(handle, backend.read(handle));
            return reads.get(handle)!;
          },
        };
      },
    ],
    [
      'a read that looks at the value only later',
      'reading/a released handle whose read is pending',
      (backend) => ({ read: (handle) => Promise.resolve().then(() => backend.read(handle)) }),
    ],
    [
      'a donation that is not consumed',
      'ownership/donation consumes the count',
      (backend) => ({ run: (op, inputs, attributes) => backend.run(op, inputs, attributes) }),
    ],
    [
      'a donation taken before the op is checked',
      'misuse/a donated input survives an op that throws',
      (backend) => ({
        run: (op, inputs, attributes, donate = []) => {
          for (const position of donate) {
            backend.retain(inputs[position]!);
            backend.release(inputs[position]!);
            backend.release(inputs[position]!);
          }
          return backend.run(op, inputs, attributes);
        },
      }),
    ],
    [
      'a retain that is forgotten',
      'ownership/retain and release balance',
      () => ({ retain: () => undefined }),
    ],
    [
      'a readSync that capabilities deny',
      'ownership/a synchronous read gives the same',
      () => ({ readSync: () => new Float32Array(0) }),
    ],
  ])('%s is found by %s', async (_, id, breach) => {
    expect(await failing(breaching(breach), contract)).toContain(id);
  });
});
