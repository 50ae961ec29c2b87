import {
  conv2dOutputSize,
  type Conv2dAttributes,
  type Pair,
  type Shape,
} from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { naiveConv2d, naiveFilterGradient, naiveInputGradient } from './naive.ts';
import {
  decomposed,
  differences,
  differencesOfAll,
  randomTensor,
  run,
  tensor,
} from './dense-running.ts';

interface Case {
  readonly input: Shape;
  readonly filter: Shape;
  readonly output: Shape;
  readonly attributes: Conv2dAttributes;
}

const plain: Conv2dAttributes = {
  stride: [1, 1],
  padding: [0, 0, 0, 0],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
};

function caseOf(input: Shape, filter: Shape, attributes: Partial<Conv2dAttributes> = {}): Case {
  const all = { ...plain, ...attributes };
  const size = conv2dOutputSize('conv2d', input.slice(2), filter.slice(2), all);
  return { input, filter, output: [input[0]!, filter[0]!, ...size], attributes: all };
}

function pair(min: number, max: number): fc.Arbitrary<Pair> {
  return fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
}

const side = fc.integer({ min: -2, max: 3 });

/** Any geometry that has an output. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    batch: fc.integer({ min: 0, max: 3 }),
    perGroup: fc.integer({ min: 0, max: 4 }),
    outputsPerGroup: fc.integer({ min: 0, max: 5 }),
    groups: fc.integer({ min: 1, max: 3 }),
    size: pair(1, 8),
    kernel: pair(1, 4),
    stride: pair(1, 3),
    padding: fc.tuple(side, side, side, side),
    lhsDilation: fc.oneof(fc.constant<Pair>([1, 1]), pair(1, 3)),
    rhsDilation: pair(1, 2),
  })
  .map((g) => {
    const { stride, padding, lhsDilation, rhsDilation, groups } = g;
    const input = [g.batch, g.perGroup * groups, ...g.size];
    const filter = [g.outputsPerGroup * groups, g.perGroup, ...g.kernel];
    try {
      return caseOf(input, filter, { stride, padding, lhsDilation, rhsDilation, groups });
    } catch {
      return null;
    }
  })
  .filter((candidate) => candidate !== null);

function checkAll({ input, filter, output, attributes }: Case): string[] {
  const found: string[] = [];
  const x = randomTensor(input, 1);
  const w = randomTensor(filter, 2);
  const gradient = randomTensor(output, 3);
  const toInput = { ...attributes, inputSize: input.slice(2) as unknown as Pair };
  const toFilter = { ...attributes, kernelSize: filter.slice(2) as unknown as Pair };
  const inputGradient = run('conv2dInputGradient', [gradient, w], toInput);
  const filterGradient = run('conv2dFilterGradient', [x, gradient], toFilter);
  found.push(
    ...differences(run('conv2d', [x, w], attributes)[0]!, naiveConv2d(x, w, output, attributes)),
  );
  found.push(...differences(inputGradient[0]!, naiveInputGradient(gradient, w, input, attributes)));
  found.push(
    ...differences(filterGradient[0]!, naiveFilterGradient(x, gradient, filter, attributes)),
  );
  found.push(
    ...differencesOfAll(inputGradient, decomposed('conv2dInputGradient', [gradient, w], toInput)),
  );
  found.push(
    ...differencesOfAll(
      filterGradient,
      decomposed('conv2dFilterGradient', [x, gradient], toFilter),
    ),
  );
  return found;
}

describe('conv2d and its gradients', () => {
  it('equal the definition and the decompositions for any geometry', () => {
    fc.assert(
      fc.property(cases, (geometry) => {
        expect(checkAll(geometry)).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    ['many channels', caseOf([2, 40, 6, 5], [30, 40, 3, 3], { padding: [1, 1, 1, 1] })],
    [
      'a strided kernel',
      caseOf([1, 24, 13, 12], [20, 24, 3, 3], { stride: [2, 2], padding: [1, 1, 1, 1] }),
    ],
    ['LeNet-5, first layer', caseOf([5, 1, 28, 28], [6, 1, 5, 5], { padding: [2, 2, 2, 2] })],
    ['LeNet-5, second layer', caseOf([5, 6, 14, 14], [16, 6, 5, 5])],
    ['points', caseOf([3, 17, 5, 4], [9, 17, 1, 1])],
    ['a 1x1 map', caseOf([4, 33, 1, 1], [10, 33, 1, 1])],
    ['one 1x1 map', caseOf([1, 33, 1, 1], [10, 33, 1, 1])],
    ['a kernel as large as the input', caseOf([3, 5, 4, 6], [7, 5, 4, 6])],
    [
      'a kernel larger than the input',
      caseOf([2, 3, 2, 1], [4, 3, 5, 5], { padding: [2, 2, 2, 2] }),
    ],
    [
      'rows and columns that no window reaches',
      caseOf([1, 2, 8, 9], [3, 2, 2, 2], { stride: [3, 4] }),
    ],
    [
      'dilated input, as of a transposed convolution',
      caseOf([2, 12, 5, 5], [8, 12, 4, 4], { lhsDilation: [2, 2], padding: [2, 2, 2, 2] }),
    ],
    ['groups', caseOf([2, 12, 6, 6], [18, 4, 3, 3], { groups: 3, padding: [1, 1, 1, 1] })],
    ['an empty batch', caseOf([0, 3, 4, 4], [2, 3, 3, 3])],
    ['no input channels', caseOf([2, 0, 4, 4], [2, 0, 3, 3])],
    ['no output channels', caseOf([2, 3, 4, 4], [0, 3, 3, 3])],
    [
      'cropping to nothing but one window',
      caseOf([1, 2, 6, 6], [2, 2, 2, 2], { padding: [-2, -2, -1, -3] }),
    ],
    ['several blocks of images', caseOf([40, 3, 48, 47], [2, 3, 2, 2])],
  ])('equal the definition for %s', (_, geometry) => {
    expect(checkAll(geometry)).toEqual([]);
  });

  it('let padding contribute nothing to finite results', () => {
    const x = tensor([1, 1, 2, 2], [1, 2, 3, Infinity]);
    const w = tensor(
      [1, 1, 3, 3],
      Array.from({ length: 9 }, () => 1),
    );
    const [y] = run('conv2d', [x, w], { ...plain, padding: [2, 0, 2, 0] });
    expect([...y!.data]).toEqual([1, 3, 4, Infinity]);
  });

  it('pass NaN to the outputs whose windows hold it, and to no other', () => {
    const { input, filter, attributes, output } = caseOf([2, 3, 5, 5], [4, 3, 3, 3]);
    const x = randomTensor(input, 4);
    x.data[0] = NaN;
    const [y] = run('conv2d', [x, randomTensor(filter, 5)], attributes);
    const perImage = output[1]! * 9;
    const poisoned = [...y!.data].map((value, i) => (Number.isNaN(value) ? i : -1));
    expect(poisoned.filter((i) => i >= 0)).toEqual([0, 9, 18, 27].filter((i) => i < perImage));
  });
});

describe('fusedConv2d', () => {
  it.each(['none', 'relu', 'relu6'] as const)(
    'with activation %s equals its decomposition',
    (activation) => {
      for (const residual of [false, true]) {
        const { input, filter, output } = caseOf([2, 5, 7, 6], [8, 5, 3, 3], { stride: [2, 1] });
        const inputs = [randomTensor(input, 1), randomTensor(filter, 2), randomTensor([8], 3)];
        for (const value of inputs) value.data.set(value.data.map((v) => 3 * v));
        if (residual) inputs.push(randomTensor(output, 4));
        const attributes = { ...plain, stride: [2, 1], activation, residual } as const;
        expect(
          differencesOfAll(
            run('fusedConv2d', inputs, attributes),
            decomposed('fusedConv2d', inputs, attributes),
          ),
        ).toEqual([]);
      }
    },
  );

  it('keeps NaN through an activation', () => {
    const inputs = [tensor([1, 1, 1, 1], [NaN]), tensor([1, 1, 1, 1], [1]), tensor([1], [0])];
    const [y] = run('fusedConv2d', inputs, { ...plain, activation: 'relu6', residual: false });
    expect(y!.data[0]).toBeNaN();
  });
});
