// Reads in every order: many at once, not awaited, before and after release; and ops queued while another backend is current.

import { current, use, type Backend, type Handle } from '@convoke/backend-api';
import { add, fromHost, mul, ones, scope, type Tensor } from '@convoke/core';

import { check, close, holds, pendingRead, put, release, throws } from '../check.ts';
import type { Draft } from '../lab.ts';
import { createLate } from '../late.ts';

const steps = 24;

/** x, x + 1, x + 2, ... each made from the one before; the caller's. */
function chain(backend: Backend): Handle[] {
  const one = put(backend, [1]);
  const links = [put(backend, [0, 0.5, 1, 2])];
  for (let i = 1; i < steps; i++) links.push(backend.run('add', [links[i - 1]!, one], {})[0]!);
  backend.release(one);
  return links;
}

function expectLink(
  backend: Backend,
  handle: Handle,
  i: number,
  data: Awaited<ReturnType<Backend['read']>>,
): void {
  const expected = { spec: handle.spec, data: Float64Array.of(i, i + 0.5, i + 1, i + 2) };
  close(`link ${i} of a chain`, data, expected, steps * 8 * backend.capabilities.epsilon * steps);
}

/** The backend in use before, to go back to. */
function currentOrNull(): Backend | null {
  try {
    return current();
  } catch {
    return null;
  }
}

export const readingCases: readonly Draft[] = [
  {
    id: 'reading/many reads at once',
    async run({ backend }) {
      const links = chain(backend);
      const data = await Promise.all(links.toReversed().map((link) => backend.read(link)));
      for (const [i, link] of links.entries()) expectLink(backend, link, i, data[steps - 1 - i]!);
      release(backend, ...links);
    },
  },
  {
    id: 'reading/one value many times at once',
    async run({ backend }) {
      const x = put(backend, [1, 2, 3]);
      const [first, ...others] = await Promise.all(
        Array.from({ length: 8 }, () => backend.read(x)),
      );
      first!.fill(9);
      check(
        others.every((other) => other !== first && other[0] === 1),
        'reads at the same time gave one array instead of own copies',
      );
      backend.release(x);
    },
  },
  {
    id: 'reading/a released handle whose read is pending',
    async run({ backend }) {
      const links = chain(backend);
      const pending = links.map((link) => pendingRead(backend, link));
      release(backend, ...links);
      const noise = put(backend, [9, 9, 9, 9]);
      for (const [i, link] of links.entries()) expectLink(backend, link, i, await pending[i]!);
      backend.release(noise);
    },
  },
  {
    id: 'reading/reads that nobody waits for',
    async run({ backend }) {
      const links = chain(backend);
      const settled = links.map((link) => pendingRead(backend, link));
      const y = backend.run('mul', [links[3]!, links[3]!], {})[0]!;
      await holds('an op after reads that were not awaited', backend, y, [9, 12.25, 16, 25]);
      release(backend, y, ...links);
      await Promise.all(settled);
    },
  },
  {
    id: 'reading/between the steps of a loop',
    async run({ backend }) {
      let x = put(backend, [0, 0.5, 1, 2]);
      const one = put(backend, [1]);
      const reads: Promise<Awaited<ReturnType<Backend['read']>>>[] = [];
      for (let i = 0; i < steps; i++) {
        reads.push(pendingRead(backend, x));
        x = backend.run('add', [x, one], {}, [0])[0]!;
        if (i % 7 === 0) await reads[i];
      }
      for (const [i, read] of reads.entries()) expectLink(backend, x, i, await read);
      release(backend, x, one);
    },
  },
  {
    id: 'reading/sync waits for all that was called',
    async run({ backend }) {
      const links = chain(backend);
      await backend.sync();
      await backend.sync();
      await holds('the end of a chain', backend, links[4]!, [4, 4.5, 5, 6]);
      release(backend, ...links);
    },
  },
  {
    id: 'swap/backends change while ops are queued',
    async run({ backend }) {
      const before = currentOrNull();
      const other = createLate();
      try {
        await use(backend);
        const here = scope(() => mul(add(ones([2, 2]), 1), 3));
        await use(other);
        const there = scope(() => mul(add(ones([2, 2]), 1), 5));
        check(here.backend === backend, 'a tensor made before the swap moved');
        check(there.backend === other, 'a tensor made after the swap is not on the new backend');
        throws('add across the swap', () => add(here, there), 'backend-mixed');
        const more = mul(here, 2);
        check(more.backend === backend, 'an op ran on the current backend instead of its inputs');
        await use(backend);
        const again = add(there, 1);
        await holds('queued before the swap', backend, here.handle, [6, 6, 6, 6]);
        await holds('of the old backend, after the swap', backend, more.handle, [12, 12, 12, 12]);
        await holds('queued after the swap', other, there.handle, [10, 10, 10, 10]);
        await holds(
          'of the other backend, after the swap back',
          other,
          again.handle,
          [11, 11, 11, 11],
        );
        for (const tensor of [here, there, more, again]) tensor.dispose();
      } finally {
        if (before) await use(before);
        other.dispose();
      }
    },
  },
  {
    id: 'swap/a tensor moves and its source stays whole',
    async run({ backend }) {
      const other = createLate();
      const x: Tensor = fromHost(
        { shape: [1, 3, 1, 2], dtype: 'float32' },
        Float32Array.of(1, 2, 3, 4, 5, 6),
        backend,
      );
      const moving = x.to(other);
      const after = add(x, 1);
      const moved = await moving;
      const back = await moved.to(backend);
      await holds('the moved tensor', other, moved.handle, [1, 2, 3, 4, 5, 6]);
      await holds('the tensor moved back', backend, back.handle, [1, 2, 3, 4, 5, 6]);
      await holds('an op on the source during the move', backend, after.handle, [2, 3, 4, 5, 6, 7]);
      for (const tensor of [x, after, moved, back]) tensor.dispose();
      other.dispose();
    },
  },
];
