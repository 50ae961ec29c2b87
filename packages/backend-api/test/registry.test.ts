import { afterEach, describe, expect, test } from 'vitest';

import {
  best,
  claimSingleCopy,
  createMeta,
  current,
  isConvokeError,
  list,
  register,
  ShapeError,
  SPEC_VERSION,
  unregister,
  use,
  type Backend,
  type BackendFactory,
} from '../src/index.ts';

let unique = 0;

function factory(options: Partial<BackendFactory> = {}): BackendFactory {
  const name = options.name ?? `fake-${unique++}`;
  return {
    name,
    specVersion: SPEC_VERSION,
    priority: -1,
    probe: async () => ({ available: true }),
    create: async (): Promise<Backend> => createMeta(),
    ...options,
  };
}

describe('use', () => {
  test('creates once: a name means its live instance', async () => {
    const fake = factory();
    register(fake);
    const first = await use(fake.name);
    expect(await use(fake.name)).toBe(first);
    expect(current()).toBe(first);
  });
  test('gives one instance to all who ask while it is made, and tries again after a failure', async () => {
    let made = 0;
    const fake = factory({
      create: async () => {
        await Promise.resolve();
        if (++made === 1) throw new Error('not yet');
        return createMeta();
      },
    });
    register(fake);
    await expect(use(fake.name)).rejects.toThrow('not yet');
    const [first, second] = await Promise.all([use(fake.name), use(fake.name)]);
    expect(second).toBe(first);
    expect(await use(fake.name)).toBe(first);
    expect(made).toBe(2);
  });
  test('makes a new instance where the live one was disposed by its owner', async () => {
    const fake = factory();
    register(fake);
    const first = await use(fake.name);
    first.dispose();
    const second = await use(fake.name);
    expect(second).not.toBe(first);
    expect(second.memory().handles).toBe(0);
  });
  test('names what is registered when asked for something else', async () => {
    register(factory({ name: 'fake-known' }));
    await expect(use('fake-absent')).rejects.toThrow(
      /no backend named 'fake-absent'.*'fake-known'/,
    );
  });
  test('gives the reason of a failing probe', async () => {
    const fake = factory({ probe: async () => ({ available: false, reason: 'no GPU here' }) });
    register(fake);
    await expect(use(fake.name)).rejects.toThrow(/no GPU here/);
    expect((await list()).find(({ name }) => name === fake.name)).toMatchObject({
      available: false,
      reason: 'no GPU here',
    });
  });
  test('takes an instance of your own', async () => {
    const own = createMeta();
    expect(await use(own)).toBe(own);
  });
});

describe('register', () => {
  test('refuses another factory of the same name unless told to replace it', () => {
    const first = factory();
    const second = factory({ name: first.name });
    register(first);
    register(first);
    expect(() => register(second)).toThrow(/already registered.*replace: true/);
    register(second, { replace: true });
  });
  test('refuses another version of the contract', () => {
    expect(() => register(factory({ specVersion: SPEC_VERSION + 1 }))).toThrow(/contract/);
  });
});

describe('best', () => {
  const registered: string[] = [];
  afterEach(() => {
    for (const name of registered.splice(0)) {
      register(factory({ name, priority: -1 }), { replace: true });
    }
  });
  const add = (options: Partial<BackendFactory>): BackendFactory => {
    const fake = factory(options);
    register(fake);
    registered.push(fake.name);
    return fake;
  };

  test('picks the highest priority whose probe passes, and says why', async () => {
    const broken = add({
      priority: 900,
      probe: async () => ({ available: false, reason: 'no SIMD' }),
    });
    const wanted = add({ priority: 800 });
    const { backend, reason } = await best();
    expect(await use(wanted.name)).toBe(backend);
    expect(reason).toContain(broken.name);
    expect(reason).toContain('no SIMD');
  });
  test('goes by what a probe says of the priority, where it says something', async () => {
    const modest = add({ priority: 700 });
    const found = add({ priority: 600, probe: async () => ({ available: true, priority: 800 }) });
    const humbled = add({ priority: 900, probe: async () => ({ available: true, priority: 500 }) });
    const { backend, reason } = await best();
    expect(await use(found.name)).toBe(backend);
    expect(reason).toContain(`'${found.name}' has priority 800`);
    const names = new Set([found.name, modest.name, humbled.name]);
    const listed = (await list()).filter(({ name }) => names.has(name));
    expect(listed.map(({ name, priority }) => [name, priority])).toEqual([
      [found.name, 800],
      [modest.name, 700],
      [humbled.name, 500],
    ]);
  });
  test('never picks a negative priority, whoever says it', async () => {
    add({ priority: -5 });
    const claiming = add({ priority: -5, probe: async () => ({ available: true, priority: 800 }) });
    add({ priority: 800, probe: async () => ({ available: true, priority: -1 }) });
    await expect(best()).rejects.toThrow(/no registered backend can work here/);
    expect((await list()).find(({ name }) => name === claiming.name)?.priority).toBe(-5);
  });
  test('probes each once, and none of negative priority', async () => {
    const probed: string[] = [];
    const watched = (name: string, priority: number): BackendFactory =>
      add({
        name,
        priority,
        probe: async () => {
          probed.push(name);
          return { available: true };
        },
      });
    watched('fake-never', -1);
    watched('fake-first', 20);
    watched('fake-second', 10);
    await best();
    expect(probed.toSorted()).toEqual(['fake-first', 'fake-second']);
  });
});

test('a second copy of a package in the process is named', () => {
  claimSingleCopy('@convoke/fictional', 1, {});
  expect(() => claimSingleCopy('@convoke/fictional', 2, {})).toThrow(
    /two copies of @convoke\/fictional.*1 and 2/,
  );
});

test('errors are recognised across copies by their mark', () => {
  expect(isConvokeError(new ShapeError('x'))).toBe(true);
  expect(isConvokeError(new Error('x'))).toBe(false);
  const foreign = Object.assign(new Error('x'), { [Symbol.for('convoke.error')]: true });
  expect(isConvokeError(foreign)).toBe(true);
});

describe('unregister', () => {
  test('takes a backend out of the list; whoever holds its instance goes on', async () => {
    const fake = factory();
    register(fake);
    const held = await use(fake.name);
    unregister(fake.name);
    expect((await list()).map(({ name }) => name)).not.toContain(fake.name);
    await expect(use(fake.name)).rejects.toThrow(`no backend named '${fake.name}'`);
    expect(held.memory().handles).toBe(0);
  });
});
