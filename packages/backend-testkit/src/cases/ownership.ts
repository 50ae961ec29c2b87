// Who owns what: counts, snapshots, own copies.

import type { Handle } from '@convoke/backend-api';

import { check, close, holds, put, release, throws } from '../check.ts';
import type { Draft } from '../lab.ts';

const one = (outputs: readonly Handle[]): Handle => outputs[0]!;

export const ownershipCases: readonly Draft[] = [
  {
    id: 'ownership/an upload is a snapshot',
    async run({ backend }) {
      const data = Float32Array.of(1, 2, 3);
      const x = backend.upload({ shape: [3], dtype: 'float32' }, data);
      data.fill(9);
      await holds('the value uploaded before its source changed', backend, x, [1, 2, 3]);
      backend.release(x);
    },
  },
  {
    id: 'ownership/a read is an own, unshared copy',
    async run({ backend }) {
      const x = put(backend, [1, 2, 3]);
      const first = await backend.read(x);
      check(
        typeof SharedArrayBuffer === 'undefined' || !(first.buffer instanceof SharedArrayBuffer),
        'read: the data is on shared memory; a read gives an unshared copy',
      );
      first.fill(9);
      await holds('the value after a reader changed its copy', backend, x, [1, 2, 3]);
      backend.release(x);
    },
  },
  {
    id: 'ownership/a synchronous read gives the same',
    async run({ backend }) {
      check(
        backend.capabilities.readSync === (backend.readSync !== undefined),
        `capabilities.readSync is ${backend.capabilities.readSync}, but readSync is ${backend.readSync ? '' : 'not '}there`,
      );
      if (!backend.readSync) return 'the backend has no readSync';
      const x = put(backend, [1, 2, 3]);
      const y = one(backend.run('mul', [x, x], {}));
      const read = backend.readSync(y);
      const spec = y.spec;
      close(
        'readSync',
        read,
        { spec, data: Float64Array.of(1, 4, 9) },
        16 * backend.capabilities.epsilon * 9,
      );
      read.fill(0);
      await holds('the value after readSync gave a copy', backend, y, [1, 4, 9]);
      release(backend, x, y);
      return undefined;
    },
  },
  {
    id: 'ownership/retain and release balance',
    async run({ backend }) {
      const { handles } = backend.memory();
      const x = put(backend, [4, 5]);
      check(backend.memory().handles === handles + 1, 'an upload makes one live handle');
      backend.retain(x);
      check(backend.memory().handles === handles + 1, 'retain makes no new handle');
      backend.release(x);
      await holds('a handle retained once and released once', backend, x, [4, 5]);
      backend.release(x);
      check(backend.memory().handles === handles, 'the last release ends the handle');
    },
  },
  {
    id: 'ownership/inputs are borrowed',
    async run({ backend }) {
      const x = put(backend, [1, -2]);
      const y = one(backend.run('mul', [x, x], {}));
      await holds('an input after the op', backend, x, [1, -2]);
      backend.release(x);
      await holds('an output after its input was released', backend, y, [1, 4]);
      backend.release(y);
    },
  },
  {
    id: 'ownership/a reshape outlives what it came from',
    async run({ backend }) {
      const x = put(backend, [1, 2, 3, 4], [1, 2, 2, 1]);
      const y = one(backend.run('reshape', [x], { shape: [4] }));
      backend.release(x);
      const other = put(backend, [9, 9, 9, 9]);
      await holds('the reshape of a released handle', backend, y, [1, 2, 3, 4]);
      release(backend, y, other);
    },
  },
  {
    id: 'ownership/memory is flat over many steps',
    async run({ backend }) {
      let x = put(
        backend,
        Array.from({ length: 64 }, () => 1),
      );
      const half = put(backend, [0.5]);
      const before = backend.memory();
      for (let step = 0; step < 200; step++) {
        const y = one(backend.run('mul', [x, half], {}));
        const z = one(backend.run('add', [y, half], {}, [0]));
        backend.release(x);
        x = z;
      }
      await holds(
        'the fixed point',
        backend,
        x,
        Array.from({ length: 64 }, () => 1),
      );
      const after = backend.memory();
      check(
        after.handles === before.handles && after.bytes === before.bytes,
        `200 steps changed live memory from ${before.handles} handles, ${before.bytes} bytes to ${after.handles}, ${after.bytes}`,
      );
      release(backend, x, half);
    },
  },
  {
    id: 'ownership/more than there is memory for is refused before donation',
    async run({ backend }) {
      const { maxBytes } = backend.capabilities;
      if (maxBytes === null) return 'the backend declares no maxBytes';
      const x = put(backend, [3]);
      const rows = Math.ceil(maxBytes / 4 / 2 ** 16) + 1;
      throws(
        'broadcastTo beyond maxBytes',
        () => backend.run('broadcastTo', [x], { shape: [rows, 2 ** 16] }, [0]),
        'backend-memory',
      );
      await holds('the donated input of an op that was refused', backend, x, [3]);
      backend.release(x);
      return undefined;
    },
  },
];
