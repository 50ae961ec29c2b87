// A recorded computation, with a constant and a captured value, gives on the backend what running it op by op gives:
// replayed, and compiled where the backend compiles.

import {
  createRecorder,
  replay,
  type Backend,
  type Handle,
  type Program,
} from '@convoke/backend-api';

import { close, put, release } from '../check.ts';
import type { Draft } from '../lab.ts';

/** relu(x w + b) and its sum, with b a constant and w captured from the backend. */
function record(backend: Backend, w: Handle): Program {
  const recorder = createRecorder();
  const x = recorder.input({ shape: [2, 3], dtype: 'float32' });
  const b = recorder.upload({ shape: [2], dtype: 'float32' }, Float32Array.of(0.5, -0.5));
  const captured = recorder.capture(backend, w);
  const [product] = recorder.run('matmul', [x, captured], { transposeA: false, transposeB: false });
  const [sum] = recorder.run('add', [product!, b], {});
  const [zero] = recorder.run('fill', [], { shape: [], dtype: 'float32', value: 0 });
  const [y] = recorder.run('maximum', [sum!, zero!], {});
  const [total] = recorder.run('reduceSum', [y!], { axes: [0, 1], keepDims: false });
  return recorder.finish([y!, total!]);
}

async function check(backend: Backend, outputs: readonly Handle[]): Promise<void> {
  const tolerance = 64 * backend.capabilities.epsilon * 8;
  const expected = [[1.5, 0, 0, 7.5], [9]];
  for (const [i, output] of outputs.entries()) {
    const value = { spec: output.spec, data: Float64Array.from(expected[i]!) };
    close(`output ${i} of the program`, await backend.read(output), value, tolerance);
  }
}

export const programCases: readonly Draft[] = [
  {
    id: 'program/replayed op by op',
    async run({ backend }) {
      const w = put(backend, [1, 0, 0, -1, 0, 2], [3, 2]);
      const x = put(backend, [1, 2, 1, -3, -2, 3], [2, 3]);
      const outputs = replay(record(backend, w), backend, [x]);
      await check(backend, outputs);
      release(backend, w, x, ...outputs);
    },
  },
  {
    id: 'program/compiled, run twice',
    async run({ backend }) {
      if (!backend.compile) return 'the backend does not compile';
      const w = put(backend, [1, 0, 0, -1, 0, 2], [3, 2]);
      const x = put(backend, [1, 2, 1, -3, -2, 3], [2, 3]);
      const compiled = backend.compile(record(backend, w));
      for (let i = 0; i < 2; i++) {
        const outputs = compiled.run([x]);
        await check(backend, outputs);
        release(backend, ...outputs);
      }
      compiled.dispose();
      release(backend, w, x);
      return undefined;
    },
  },
];
