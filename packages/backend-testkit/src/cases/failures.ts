// Ops that fail after `run` has returned. Their outputs and all that depends on them are poisoned: reading rejects with that
// op's error, every time; unrelated reads succeed; `sync` reports what nobody read. An index out of range provokes such a
// failure on a backend that checks indices, `failNext` on one that can fail on demand. A backend that sees the bad index
// within `run` may throw there instead.

import type { Backend, Handle } from '@convoke/backend-api';

import { check, fails, holds, pendingRead, put, release } from '../check.ts';
import type { Draft, Lab } from '../lab.ts';

interface Failure {
  /** Null where `run` threw. */
  readonly poisoned: Handle | null;
}

function indices(backend: Backend, values: readonly number[]): Handle {
  return backend.upload({ shape: [values.length], dtype: 'int32' }, Int32Array.from(values));
}

/** Ways to make an op of x, a vector of 3, fail late. */
const provocations: Readonly<Record<string, (lab: Lab, x: Handle) => Failure | string>> = {
  'index out of range': ({ backend }, x) => {
    if (!backend.capabilities.checksIndices) return 'the backend declares checksIndices: false';
    const index = indices(backend, [0, 7, 1]);
    try {
      return { poisoned: backend.run('gather', [x, index], { axis: 0 })[0]! };
    } catch {
      return { poisoned: null };
    } finally {
      backend.release(index);
    }
  },
  'failure on demand': ({ backend, failNext }, x) => {
    if (!failNext) return 'the suite was given no failNext';
    failNext(backend);
    return { poisoned: backend.run('add', [x, x], {})[0]! };
  },
};

function ways(
  name: string,
  body: (lab: Lab, poisoned: Handle, x: Handle) => Promise<void>,
): Draft[] {
  return Object.entries(provocations).map(([way, provoke]) => ({
    id: `late errors/${name} (${way})`,
    async run(lab) {
      const { backend } = lab;
      const x = put(backend, [1, 2, 3]);
      const failure = provoke(lab, x);
      const poisoned = typeof failure === 'string' ? null : failure.poisoned;
      if (poisoned) await body(lab, poisoned, x);
      await holds('an input of a failed op', backend, x, [1, 2, 3]);
      release(backend, x, ...(poisoned ? [poisoned] : []));
      if (typeof failure === 'string') return failure;
      return poisoned ? undefined : 'the backend throws within run';
    },
  }));
}

const outOfRange: Draft = {
  id: 'late errors/an index out of range fails or gives NaN or 0',
  async run({ backend }) {
    const x = put(backend, [1, 2, 3]);
    const [low, high] = [indices(backend, [0, -1]), indices(backend, [2, 3])];
    const cases = [
      ['gather', [x, low]],
      ['gather', [x, high]],
    ] as const;
    for (const [op, inputs] of cases) {
      const read = async (): Promise<ArrayLike<number>> => {
        const [y] = backend.run(op, inputs, { axis: 0 });
        try {
          return await backend.read(y!);
        } finally {
          backend.release(y!);
        }
      };
      if (backend.capabilities.checksIndices) {
        await fails(`${op} with an index out of range`, read, 'data');
        continue;
      }
      const value = (await read())[1]!;
      check(
        Number.isNaN(value) || value === 0,
        `${op} with an index out of range gave ${value}; a backend that does not check gives NaN or 0`,
      );
    }
    release(backend, x, low, high);
  },
};

const badClasses: Draft = {
  id: 'late errors/a class out of range fails or gives NaN or 0',
  async run({ backend }) {
    const logits = put(backend, [1, 2, 3, 4], [2, 2]);
    const classes = indices(backend, [0, 2]);
    const supported = backend.supports('softmaxCrossEntropy', [logits.spec, classes.spec], {});
    if (supported) {
      const read = async (): Promise<ArrayLike<number>> => {
        const outputs = backend.run('softmaxCrossEntropy', [logits, classes], {});
        try {
          return await backend.read(outputs[0]!);
        } finally {
          release(backend, ...outputs);
        }
      };
      if (backend.capabilities.checksIndices) {
        await fails('softmaxCrossEntropy with a class out of range', read, 'data');
      } else {
        const value = (await read())[1]!;
        check(Number.isNaN(value) || value === 0, `a class out of range gave the loss ${value}`);
      }
    }
    release(backend, logits, classes);
  },
};

export const failureCases: readonly Draft[] = [
  outOfRange,
  badClasses,
  ...ways('reading rejects every time, with one error', async ({ backend }, poisoned) => {
    const first = await fails('the first read', () => backend.read(poisoned));
    const second = await fails('the second read', () => backend.read(poisoned));
    check(
      first.message === second.message,
      `two reads of one poisoned value gave "${first.message}" and "${second.message}"`,
    );
  }),
  ...ways('dependants are poisoned by the same error', async ({ backend }, poisoned, x) => {
    const sum = backend.run('add', [poisoned, x], {})[0]!;
    const shaped = backend.run('reshape', [sum], { shape: [3, 1] })[0]!;
    const later = backend.run('mul', [shaped, shaped], {}, [0])[0]!;
    const cause = await fails('the failed op', () => backend.read(poisoned));
    for (const dependant of [sum, later]) {
      const error = await fails('a dependant', () => backend.read(dependant));
      check(
        error.message === cause.message,
        `a dependant rejects with "${error.message}", the failed op with "${cause.message}"`,
      );
    }
    release(backend, sum, later);
  }),
  ...ways('unrelated reads succeed', async ({ backend }, poisoned, x) => {
    const before = pendingRead(backend, x);
    const other = backend.run('add', [x, x], {})[0]!;
    await holds('an unrelated result', backend, other, [2, 4, 6]);
    await before;
    await fails('the poisoned value', () => backend.read(poisoned));
    backend.release(other);
  }),
  ...ways('sync reports what nobody read', async ({ backend }, poisoned) => {
    await fails('sync after an unread failure', () => backend.sync());
    await fails('a read after sync has reported', () => backend.read(poisoned));
    await backend.sync();
  }),
  ...ways('sync is silent about what was read', async ({ backend }, poisoned) => {
    await fails('the read', () => backend.read(poisoned));
    await backend.sync();
  }),
  ...ways('releasing poisoned values unread frees them', async ({ backend }, poisoned, x) => {
    const dependant = backend.run('mul', [poisoned, x], {})[0]!;
    backend.release(dependant);
    await fails('sync', () => backend.sync());
  }),
];
