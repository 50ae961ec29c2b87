// The factory with the registry, what an instance says of itself, and random bits, which are the same on every backend.

import {
  best,
  current,
  list,
  register,
  SPEC_VERSION,
  threefry2x32,
  use,
  type Backend,
  type BackendFactory,
} from '@convoke/backend-api';

import { check, close, fails, put, throws } from '../check.ts';
import type { Draft, Lab } from '../lab.ts';

const NAME = 'conformance trial';

/** Registers the factory under a name of its own, so that the user's registrations stay; afterwards nothing of it is live. */
async function registered(
  { factory, createOptions }: Lab,
  body: (trial: BackendFactory, made: Backend[]) => Promise<void>,
): Promise<void> {
  let before: Backend | null = null;
  try {
    before = current();
  } catch {
    // None was in use.
  }
  const made: Backend[] = [];
  const trial: BackendFactory = {
    name: NAME,
    specVersion: factory.specVersion,
    priority: -1,
    probe: () => factory.probe(),
    create: async (options) => {
      const backend = await factory.create(options ?? createOptions);
      made.push(backend);
      return backend;
    },
  };
  register(trial, { replace: true });
  try {
    await body(trial, made);
  } finally {
    register(
      { ...trial, probe: () => Promise.resolve({ available: false, reason: 'its trial is over' }) },
      { replace: true },
    );
    for (const backend of made) backend.dispose();
    if (before) await use(before);
  }
}

const keys = [
  [0, 0],
  [1, 2],
  [-1, 2 ** 31 - 1],
  [-(2 ** 31), 123456789],
] as const;

export const factoryCases: readonly Draft[] = [
  {
    id: 'factory/it says what it is',
    async run({ factory }) {
      check(typeof factory.name === 'string' && factory.name !== '', 'the factory has no name');
      check(
        factory.specVersion === SPEC_VERSION,
        `the factory keeps version ${factory.specVersion} of the contract, this is ${SPEC_VERSION}`,
      );
      check(
        Number.isFinite(factory.priority),
        `priority is ${factory.priority}, expected a number`,
      );
      const result = await factory.probe();
      check(
        result.available,
        `probe says that this device cannot work here (${result.available ? '' : result.reason}), yet it is being tested`,
      );
    },
  },
  {
    id: 'factory/an instance says what it can do',
    run({ backend }) {
      const { name, specVersion, capabilities } = backend;
      check(typeof name === 'string' && name !== '', 'the backend has no name');
      check(
        specVersion === SPEC_VERSION,
        `the backend keeps version ${specVersion} of the contract`,
      );
      check(capabilities.dtypes.includes('float32'), 'every backend has float32');
      check(
        capabilities.epsilon >= 2 ** -24 && capabilities.epsilon < 2 ** -6,
        `epsilon is ${capabilities.epsilon}, expected a rounding error such as 2^-24`,
      );
      check(
        Number.isInteger(capabilities.threads) && capabilities.threads >= 1,
        `threads is ${capabilities.threads}, expected a whole number >= 1`,
      );
      check(
        capabilities.maxBytes === null || capabilities.maxBytes > 0,
        `maxBytes is ${capabilities.maxBytes}, expected a number of bytes or null`,
      );
      const stop = backend.onLost(() => undefined);
      stop();
      stop();
    },
  },
  {
    id: 'factory/a name means its live instance',
    run: (lab) =>
      registered(lab, async (_, made) => {
        const first = await use(NAME);
        check(current() === first, 'use() makes the backend current');
        check((await use(NAME)) === first, 'use() of a live name gives the live instance');
        check(made.length === 1, `two uses of one name created ${made.length} instances`);
        const listed = (await list()).find(({ name }) => name === NAME);
        check(
          listed !== undefined && listed.available && listed.current && listed.reason !== '',
          'list() does not show the backend in use as available and current',
        );
      }),
  },
  {
    id: 'factory/its name is not taken twice',
    run: (lab) =>
      registered(lab, async (trial) => {
        register(trial);
        throws(
          'another factory of the same name',
          () => register({ ...trial }),
          'backend-registry',
        );
      }),
  },
  {
    id: 'factory/a negative priority is never picked',
    run: (lab) =>
      registered(lab, async (_, made) => {
        await best().catch(() => undefined);
        check(made.length === 0, 'best() created a backend of negative priority');
      }),
  },
  {
    id: 'factory/another version of the contract is refused',
    run: (lab) =>
      registered(lab, async (trial) => {
        await fails(
          'register of a factory for a later contract',
          () => register({ ...trial, name: `${NAME}, later`, specVersion: SPEC_VERSION + 1 }),
          'backend-version',
        );
      }),
  },
  ...[[0], [1], [7], [2, 3, 5], [1000]].map((shape): Draft => ({
    id: `random/bits of shape [${shape.join(', ')}] are Threefry's`,
    async run({ backend }) {
      for (const key of keys) {
        const handle = backend.upload({ shape: [2], dtype: 'int32' }, Int32Array.from(key));
        const [bits] = backend.run('randomBits', [handle], { shape });
        const size = shape.reduce((a, b) => a * b, 1);
        const expected = Float64Array.from({ length: size }, (_, i) => {
          return threefry2x32(key[0], key[1], i >> 1, 0)[i % 2 === 0 ? 0 : 1] >>> 8;
        });
        close(
          `randomBits under key [${key.join(', ')}]`,
          await backend.read(bits!),
          { spec: bits!.spec, data: expected },
          0,
        );
        backend.release(handle);
        backend.release(bits!);
      }
    },
  })),
  {
    id: 'random/the key decides, not what ran before',
    async run({ backend }) {
      const key = backend.upload({ shape: [2], dtype: 'int32' }, Int32Array.of(3, 4));
      const [first] = backend.run('randomBits', [key], { shape: [9] });
      const noise = put(backend, [1, 2]);
      const [second] = backend.run('randomBits', [key], { shape: [9] });
      const [a, b] = [await backend.read(first!), await backend.read(second!)];
      check(
        a.every((bits, i) => bits === b[i]),
        'one key gave two sequences',
      );
      for (const handle of [key, first!, noise, second!]) backend.release(handle);
    },
  },
];
