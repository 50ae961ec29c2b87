// What is used after its end: handles, tensors, backends.

import { dispatch, fromHost } from '@convoke/core';

import { check, fails, holds, put, throws } from '../check.ts';
import type { Draft } from '../lab.ts';

export const disposalCases: readonly Draft[] = [
  {
    id: 'disposal/a released handle is refused',
    async run({ backend }) {
      const x = put(backend, [1]);
      backend.release(x);
      await fails('run on a released handle', () => backend.run('exp', [x], {}), 'disposed');
      await fails('read of a released handle', () => backend.read(x), 'disposed');
      await fails('retain of a released handle', () => backend.retain(x), 'disposed');
      await fails('a release too many', () => backend.release(x), 'disposed');
    },
  },
  {
    id: 'disposal/a donated handle is refused',
    async run({ backend }) {
      const x = put(backend, [1]);
      const y = backend.run('exp', [x], {}, [0])[0]!;
      await fails('read of a donated handle', () => backend.read(x), 'disposed');
      backend.release(y);
    },
  },
  {
    id: 'disposal/a disposed tensor is refused',
    async run({ backend }) {
      const x = fromHost({ shape: [2], dtype: 'float32' }, Float32Array.of(1, 2), backend);
      x.dispose();
      x.dispose();
      throws('an op on a disposed tensor', () => dispatch('exp', [x], {}), 'disposed');
      await fails('data() of a disposed tensor', () => x.data(), 'disposed');
    },
  },
  {
    id: 'disposal/a disposed backend is refused',
    async run({ fresh }) {
      const backend = await fresh();
      const x = put(backend, [1]);
      await backend.sync();
      backend.dispose();
      await fails('upload after dispose', () => put(backend, [1]), 'disposed');
      await fails('run after dispose', () => backend.run('exp', [x], {}), 'disposed');
      await fails('read after dispose', () => backend.read(x), 'disposed');
      await fails('sync after dispose', () => backend.sync(), 'disposed');
      backend.dispose();
    },
  },
  {
    id: 'disposal/a read pending at disposal settles',
    async run({ fresh }) {
      const backend = await fresh();
      const x = put(backend, [2, 3]);
      const pending = backend.read(x).then(
        (data) => check(data[0] === 2, 'a read that was pending at disposal gave a wrong value'),
        (error: unknown) =>
          fails('the pending read', () => Promise.reject(error as Error), 'disposed'),
      );
      backend.dispose();
      await pending;
    },
  },
  {
    id: 'disposal/instances do not share their end',
    async run({ fresh }) {
      const [a, b] = [await fresh(), await fresh()];
      const x = put(b, [1, 2]);
      a.dispose();
      const y = b.run('add', [x, x], {})[0]!;
      await holds('the other instance after one was disposed', b, y, [2, 4]);
    },
  },
];
