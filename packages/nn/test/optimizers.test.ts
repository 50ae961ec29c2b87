import { js } from '@convoke/backend-js';
import { isConvokeError, type Backend } from '@convoke/backend-api';
import {
  backward,
  buffer,
  detach,
  memory,
  mul,
  ones,
  parameter,
  register,
  scope,
  square,
  sub,
  sum,
  tensor,
  use,
  zeros,
  type Slot,
} from '@convoke/core';
import { beforeEach, describe, expect, it } from 'vitest';

import { recognize, type CaseResult } from '../src/golden.ts';
import {
  Adadelta,
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  NAdam,
  RAdam,
  RMSprop,
  SGD,
  type Optimizer,
} from '../src/optimizers/index.ts';
import { readSlots, restoreSlots } from '../src/training/checkpoint.ts';
import { goldenCases } from './golden-cases.ts';

type AnyOptimizer = Pick<
  Optimizer<object, string>,
  'lr' | 'momentum' | 'step' | 'zeroGrad' | 'stateDict' | 'to' | 'dispose'
>;

const makers: Record<string, (slots: readonly Slot[]) => AnyOptimizer> = {
  SGD: (slots) => new SGD(slots, { lr: 0.05 }),
  'SGD with dampened momentum': (slots) =>
    new SGD(slots, { lr: 0.05, momentum: 0.9, dampening: 0.3, weightDecay: 0.01 }),
  'SGD with Nesterov': (slots) => new SGD(slots, { lr: 0.05, momentum: 0.9, nesterov: true }),
  RMSprop: (slots) => new RMSprop(slots, { lr: 0.02, momentum: 0.9, centered: true }),
  Adam: (slots) => new Adam(slots, { lr: 0.05 }),
  'Adam with amsgrad': (slots) => new Adam(slots, { lr: 0.05, amsgrad: true }),
  AdamW: (slots) => new AdamW(slots, { lr: 0.05 }),
  Adagrad: (slots) => new Adagrad(slots, { lr: 0.1, lrDecay: 0.1 }),
  Adadelta: (slots) => new Adadelta(slots),
  NAdam: (slots) => new NAdam(slots, { lr: 0.05 }),
  RAdam: (slots) => new RAdam(slots, { lr: 0.05 }),
  Adamax: (slots) => new Adamax(slots, { lr: 0.05 }),
};

const optimizers = Object.entries(makers);

/** Two parameters, and a step downhill to fixed goals. */
function problem(backend?: Backend): {
  slots: Slot[];
  descend(...optimizers: AnyOptimizer[]): void;
} {
  const slots = [
    parameter(tensor([1, -2, 3], { backend })),
    parameter(tensor([[0.5, -0.25]], { backend })),
  ];
  const descend = (...using: AnyOptimizer[]): void => {
    for (const optimizer of using) optimizer.zeroGrad();
    scope(() => {
      const goals = [
        tensor([0.1, 0.2, 0.3], { backend: slots[0]!.backend }),
        tensor([[2, 1]], { backend: slots[0]!.backend }),
      ];
      for (const [i, slot] of slots.entries()) backward(sum(square(sub(slot, goals[i]!))));
    });
    for (const optimizer of using) optimizer.step();
  };
  return { slots, descend };
}

async function values(slots: Iterable<Slot>): Promise<number[][]> {
  return Promise.all(Array.from(slots, async (slot) => Array.from(await slot.data())));
}

function setGradient(slot: Slot, gradient: number[]): void {
  slot.clearGrad();
  slot.grad = buffer(tensor(gradient));
}

beforeEach(async () => {
  register(js);
  await use('js');
});

/** The worst element of each tensor in units of its tolerance. */
function usages({ tensors }: CaseResult): Map<string, number> {
  return new Map(tensors.map(({ name, error, tolerance }) => [name, error / tolerance]));
}

function thrown(f: () => unknown): unknown {
  try {
    return f();
  } catch (error) {
    return error;
  }
}

const namesOf = (optimizer: AnyOptimizer): string[] => [...optimizer.stateDict().keys()];
const ofWeight = (...states: string[]): string[] => states.map((state) => `conv.weight.${state}`);
const twoWeights = (): Slot => parameter(tensor([1, 2]));

describe('golden trajectories', () => {
  const cases = goldenCases('optimizers');

  it('are all recognised by their content', () => {
    expect(cases).toHaveLength(25);
    expect(cases.filter((case_) => !recognize(case_))).toEqual([]);
  });

  it.each(cases)('$id: $attrs follows PyTorch', async (case_) => {
    const used = usages(await recognize(case_)!(await use('js')));
    expect(used.get('trajectory')).toBeLessThanOrEqual(1);
    expect(used.get('losses')).toBeLessThanOrEqual(1);
  });

  it.each(cases)('$id: $attrs does so without fused steps', async (case_) => {
    const used = usages(await recognize(case_)!(await js.create({ decomposeOnly: true })));
    expect(used.get('trajectory')).toBeLessThanOrEqual(1);
    expect(used.get('losses')).toBeLessThanOrEqual(1);
  });

  it('does not recognise an optimiser that it lacks', () => {
    expect(recognize({ id: 'x', attrs: { optimizer: 'LBFGS', lr: 1 } })).toBeNull();
  });

  it('refuses an attribute that it does not know instead of leaving it out', async () => {
    const altered = { ...cases[0]!, attrs: { ...cases[0]!.attrs, trust: 2 } };
    await expect(recognize(altered)!(await use('js'))).rejects.toThrow(/'trust'/);
  });
});

describe.each(optimizers)('%s', (_, make) => {
  it('goes on from its saved state to the bit', async () => {
    const whole = problem();
    const steady = make(whole.slots);
    for (let step = 0; step < 3; step++) whole.descend(steady);
    steady.lr /= 3;
    const saved = await readSlots(steady.stateDict(), 'optimizer.');
    const weights = await values(whole.slots);

    const resumed = problem();
    const fresh = make(resumed.slots);
    restoreSlots(fresh.stateDict(), saved, 'optimizer.');
    resumed.slots.forEach((slot, i) =>
      slot.assign(tensor(Float32Array.from(weights[i]!), { shape: slot.shape })),
    );
    for (let step = 0; step < 4; step++) {
      whole.descend(steady);
      resumed.descend(fresh);
    }

    expect(await values(resumed.slots)).toEqual(await values(whole.slots));
    expect(await readSlots(fresh.stateDict())).toEqual(await readSlots(steady.stateDict()));
  });

  it('keeps the number of live handles flat and frees its state', () => {
    const { slots, descend } = problem();
    const before = memory().handles;
    const optimizer = make(slots);
    descend(optimizer);
    const after = memory().handles;
    for (let step = 0; step < 20; step++) descend(optimizer);
    expect(memory().handles).toBe(after);

    optimizer.zeroGrad();
    optimizer.dispose();
    expect(memory().handles).toBe(before);
  });

  it('moves with its parameters to another backend and gives the same values there', async () => {
    const stay = problem();
    const staying = make(stay.slots);
    const move = problem();
    const moving = make(move.slots);
    stay.descend(staying);
    move.descend(moving);
    moving.zeroGrad();

    const other = await js.create();
    for (const slot of move.slots) slot.moveTo(other, other.upload(slot.spec, await slot.data()));
    await moving.to(other);
    stay.descend(staying);
    move.descend(moving);

    expect(move.slots.every(({ backend }) => backend === other)).toBe(true);
    expect(await values(move.slots)).toEqual(await values(stay.slots));
  });

  it('leaves alone what has no gradient and what is frozen, and counts no step for it', async () => {
    const { slots, descend } = problem();
    const optimizer = make(slots);
    slots[0]!.setRequiresGrad(false);
    slots[0]!.grad = buffer(tensor([1, 1, 1]));
    slots[1]!.clearGrad();
    optimizer.step();
    expect(await values(slots)).toEqual([[1, -2, 3], [[0.5, -0.25]].flat()]);
    expect(await optimizer.stateDict().get('0.step')!.item()).toBe(0);

    slots[0]!.setRequiresGrad(true);
    descend(optimizer);
    expect(await optimizer.stateDict().get('0.step')!.item()).toBe(1);
  });

  it('climbs nowhere with a learning rate of 0', async () => {
    const { slots, descend } = problem();
    const optimizer = make(slots);
    optimizer.lr = 0;
    descend(optimizer);
    expect(await values(slots)).toEqual([
      [1, -2, 3],
      [0.5, -0.25],
    ]);
  });
});

describe('parameter groups', () => {
  it('take settings of their own and the rest from the optimiser', async () => {
    const grouped = problem();
    const optimizer = new SGD(
      [
        { parameters: [grouped.slots[0]!], weightDecay: 0.1 },
        { parameters: new Map([['head', grouped.slots[1]!]]), lr: 0.5, momentum: 0.5 },
      ],
      { lr: 0.05, momentum: 0.9 },
    );
    const single = problem();
    const first = new SGD([single.slots[0]!], { lr: 0.05, momentum: 0.9, weightDecay: 0.1 });
    const second = new SGD([single.slots[1]!], { lr: 0.5, momentum: 0.5 });
    for (let step = 0; step < 3; step++) {
      grouped.descend(optimizer);
      single.descend(first, second);
    }
    expect(await values(grouped.slots)).toEqual(await values(single.slots));
    expect([...optimizer.stateDict().keys()]).toEqual([
      'lr',
      'groups.0.momentum',
      'groups.0.0.step',
      'groups.0.0.momentum_buffer',
      'groups.1.momentum',
      'groups.1.head.step',
      'groups.1.head.momentum_buffer',
    ]);
  });

  it('keep the ratio of their learning rates when a schedule sets the rate', async () => {
    const [w, v] = [parameter(zeros([1])), parameter(zeros([1]))];
    const optimizer = new SGD([{ parameters: [w] }, { parameters: [v], lr: 0.01 }], { lr: 0.1 });
    optimizer.lr = 1;
    for (const slot of [w, v]) setGradient(slot, [1]);
    optimizer.step();
    expect(await w.item()).toBe(-1);
    expect(await v.item()).toBeCloseTo(-0.1, 7);
  });
});

describe('state', () => {
  it("bears PyTorch's names", () => {
    const { slots } = problem();
    const named = new Map([['conv.weight', slots[0]!]]);
    expect(namesOf(new SGD(named))).toEqual(['lr', 'momentum', ...ofWeight('step')]);
    expect(namesOf(new Adam(named, { amsgrad: true }))).toEqual([
      'lr',
      'momentum',
      ...ofWeight('step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'),
    ]);
    expect(namesOf(new NAdam(named))).toEqual([
      'lr',
      'momentum',
      ...ofWeight('step', 'mu_product', 'exp_avg', 'exp_avg_sq'),
    ]);
    expect(namesOf(new Adadelta(named))).toEqual([
      'lr',
      ...ofWeight('step', 'square_avg', 'acc_delta'),
    ]);
  });

  it('holds a learning rate and a momentum to the last bit', async () => {
    const { slots } = problem();
    const first = new SGD(slots, { lr: 0.1 / 3, momentum: 0.9 });
    first.lr = Math.PI / 1000;
    first.momentum = 0.85 + 1e-15;
    const second = new SGD(slots, { lr: 1, momentum: 0.9 });
    restoreSlots(
      second.stateDict(),
      await readSlots(first.stateDict(), 'optimizer.'),
      'optimizer.',
    );
    expect(second.lr).toBe(Math.PI / 1000);
    expect(second.momentum).toBe(0.85 + 1e-15);
  });

  it('of another optimiser is refused by name', async () => {
    const { slots } = problem();
    const saved = await readSlots(new Adam(slots).stateDict(), 'optimizer.');
    expect(() => restoreSlots(new SGD(slots).stateDict(), saved, 'optimizer.')).toThrow(/exp_avg/);
  });

  it('keeps its counters on the host when every slot of it is moved', async () => {
    const stay = problem();
    const staying = new Adam(stay.slots);
    const { slots, descend } = problem();
    const optimizer = new Adam(slots);
    stay.descend(staying);
    descend(optimizer);
    const other = await js.create();
    optimizer.zeroGrad();
    const all = [...slots, ...optimizer.stateDict().values()];
    for (const slot of all) slot.moveTo(other, other.upload(slot.spec, await slot.data()));
    // Two parameters with two moments each.
    expect(other.memory().handles).toBe(6);
    stay.descend(staying);
    descend(optimizer);
    expect(await values(slots)).toEqual(await values(stay.slots));
  });

  it('can be read at once where counters are concerned', () => {
    const { slots, descend } = problem();
    const optimizer = new Adam(slots);
    descend(optimizer);
    expect(optimizer.stateDict().get('0.step')!.dataSync()).toEqual(Int32Array.of(1));
  });
});

describe('momentum', () => {
  it('set by a schedule is used from the next step on', async () => {
    const cycled = problem();
    const optimizer = new SGD(cycled.slots, { lr: 0.05, momentum: 0.9 });
    const plain = problem();
    const other = new SGD(plain.slots, { lr: 0.05, momentum: 0.5 });
    optimizer.momentum = 0.5;
    for (let step = 0; step < 2; step++) {
      cycled.descend(optimizer);
      plain.descend(other);
    }
    expect(await values(cycled.slots)).toEqual(await values(plain.slots));
  });

  it('means beta1 in the Adam family', async () => {
    const cycled = problem();
    const optimizer = new Adam(cycled.slots, { lr: 0.05 });
    expect(optimizer.momentum).toBe(0.9);
    optimizer.momentum = 0.8;
    const plain = problem();
    const other = new Adam(plain.slots, { lr: 0.05, beta1: 0.8 });
    cycled.descend(optimizer);
    plain.descend(other);
    expect(await values(cycled.slots)).toEqual(await values(plain.slots));
  });

  it('cannot be set where none is kept', () => {
    const { slots } = problem();
    expect(() => (new Adagrad(slots).momentum = 0.9)).toThrow(/Adagrad: momentum cannot be set/);
    expect(() => (new SGD(slots).momentum = 0.9)).toThrow(
      /give the constructor a momentum above 0/,
    );
    expect(() => (new SGD(slots, { momentum: 0.9 }).momentum = 0)).toThrow(/cannot become 0/);
    expect(() => (new Adam(slots).momentum = 1)).toThrow(/beta1 must be a number in \[0, 1\)/);
  });
});

describe('a fused step', () => {
  it('leaves whole what shares a value with a parameter', async () => {
    const w = parameter(tensor([1, 2, 3]));
    const before = detach(w);
    const optimizer = new SGD([w], { lr: 1, momentum: 0.9 });
    setGradient(w, [1, 1, 1]);
    optimizer.step();
    expect([...(await before.data())]).toEqual([1, 2, 3]);
    expect([...(await w.data())]).toEqual([0, 1, 2]);
    expect([...(await w.grad!.data())]).toEqual([1, 1, 1]);
  });

  it('writes the new values where the old ones were', async () => {
    const bytes = 4 * 10_000;
    // Parameter, gradient and velocity fit, and half a parameter more; a new parameter beside the old one would not.
    const tight = await js.create({ maxBytes: 3.5 * bytes });
    const w = parameter(ones([10_000], { backend: tight }));
    const optimizer = new SGD([w], { lr: 0.5, momentum: 0.9 });
    w.grad = buffer(ones([10_000], { backend: tight }));
    optimizer.step();
    optimizer.step();
    expect((await w.data())[9_999]).toBeCloseTo(1 - 0.5 - 0.5 * 1.9, 6);
  });

  it('that fails leaves parameters and state as they were', async () => {
    const [w, v] = [parameter(tensor([1, 2])), parameter(tensor([3]))];
    const optimizer = new Adam([w, v]);
    setGradient(w, [1, 1]);
    setGradient(v, [1, 1]);
    const state = await readSlots(optimizer.stateDict());
    expect(() => optimizer.step()).toThrow(/adamStep/);
    expect(await values([w, v])).toEqual([[1, 2], [3]]);
    expect(await readSlots(optimizer.stateDict())).toEqual(state);
    setGradient(v, [1]);
    optimizer.step();
    expect(await v.item()).toBeLessThan(3);
  });
});

describe('mistakes', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'a negative rate',
      () => new SGD([twoWeights()], { lr: -1 }),
      /SGD: lr must be a number >= 0, got -1/,
    ],
    [
      'a rate that is no number',
      () => new Adam([twoWeights()], { lr: NaN }),
      /Adam: lr .* got NaN/,
    ],
    ['a negative decay', () => new AdamW([twoWeights()], { weightDecay: -1 }), /weightDecay/],
    [
      'beta2 of 1',
      () => new RAdam([twoWeights()], { beta2: 1 }),
      /beta2 must be a number in \[0, 1\)/,
    ],
    [
      'Nesterov without momentum',
      () => new SGD([twoWeights()], { nesterov: true }),
      /nesterov needs/,
    ],
    ['no parameters', () => new SGD([]), /there are no parameters/],
    ['an empty map', () => new SGD(new Map()), /there are no parameters/],
    [
      'a module in place of its parameters',
      () => new SGD({ weight: twoWeights() } as never),
      /SGD: expected parameters.*model\.parameters\(\)/,
    ],
    ['what is no parameter', () => new SGD([{} as Slot]), /'0' is no parameter/],
    ['whole numbers', () => new SGD([parameter(tensor(Int32Array.of(1)))]), /int32 \[1\]/],
    [
      'groups among parameters',
      () => new SGD([{ parameters: [twoWeights()] }, twoWeights()] as never),
      /item 1 is no group/,
    ],
    [
      'a group with a rate beside a rate of 0',
      () => new SGD([{ parameters: [twoWeights()], lr: 1 }], { lr: 0 }),
      /no ratio/,
    ],
  ])('such as %s are told', (_, mistake, message) => {
    expect(mistake).toThrow(message);
    expect(isConvokeError(thrown(mistake))).toBe(true);
  });

  it('such as one parameter in two groups are told with both names', () => {
    const shared = twoWeights();
    expect(
      () => new SGD([{ parameters: [shared] }, { parameters: new Map([['a', shared]]) }]),
    ).toThrow(/'groups\.1\.a' is the parameter given as 'groups\.0\.0'/);
  });

  it('such as a parameter moved without its optimiser are told with both backends', async () => {
    const slot = twoWeights();
    const optimizer = new Adam(new Map([['fc.weight', slot]]));
    const other = await js.create();
    slot.moveTo(other, other.upload(slot.spec, await slot.data()));
    slot.grad = buffer(mul(slot, 1));
    expect(() => optimizer.step()).toThrow(
      /'fc\.weight' is on backend 'js', its gradient or state on another instance of it; .*optimizer\.to\(backend\)/,
    );
  });
});
