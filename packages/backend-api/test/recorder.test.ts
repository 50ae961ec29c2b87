import { expect, test } from 'vitest';

import { createMeta, createRecorder, replay, type Spec } from '../src/index.ts';

const spec: Spec = { shape: [2, 3], dtype: 'float32' };

test('a recorder writes down ops, constants and captured values, and a program replays on another backend', () => {
  const meta = createMeta();
  const parameter = meta.upload(spec, new Float32Array(6));
  const recorder = createRecorder();

  const x = recorder.input(spec);
  const captured = recorder.capture(meta, parameter);
  const [sum] = recorder.run('add', [x, captured], {});
  const two = recorder.upload({ shape: [], dtype: 'float32' }, new Float32Array([2]));
  const [y] = recorder.run('mul', [sum!, two], {});
  const program = recorder.finish([y!]);

  expect(program.nodes.map(({ op }) => op)).toEqual(['add', 'mul']);
  expect(program.captures).toHaveLength(1);
  expect(program.captures[0]).toMatchObject({ owner: meta, handle: parameter });
  expect(program.constants[0]!.data).toEqual(new Float32Array([2]));
  expect(program.values[program.outputs[0]!]).toEqual(spec);

  const before = meta.memory().handles;
  const input = meta.upload(spec, new Float32Array(6));
  const [result] = replay(program, meta, [input]);
  expect(result!.spec.shape).toEqual([2, 3]);
  meta.release(result!);
  meta.release(input);
  expect(meta.memory().handles).toBe(before);
});

test('capturing a value twice gives one symbol', () => {
  const meta = createMeta();
  const handle = meta.upload(spec, new Float32Array(6));
  const recorder = createRecorder();
  expect(recorder.capture(meta, handle)).toBe(recorder.capture(meta, handle));
  expect(recorder.finish([]).captures).toHaveLength(1);
});

test('an update stands for the captured value from then on, and the program gives its last one', () => {
  const meta = createMeta();
  const parameter = meta.upload(spec, new Float32Array(6));
  const untouched = meta.upload(spec, new Float32Array(6));
  const recorder = createRecorder();
  recorder.capture(meta, untouched);
  for (let step = 0; step < 2; step++) {
    const [next] = recorder.run('neg', [recorder.capture(meta, parameter)], {});
    recorder.update(meta, parameter, next!);
  }
  const program = recorder.finish([]);

  const [first, second] = program.nodes;
  expect(second!.inputs).toEqual(first!.outputs);
  expect(program.captures[1]).toMatchObject({ owner: meta, handle: parameter });
  expect(program.updates).toEqual([{ capture: 1, value: second!.outputs[0] }]);
  const results = replay(program, meta, []);
  expect(results.map((handle) => handle.spec)).toEqual([spec]);
});

test('reading what has no data rejects', async () => {
  const recorder = createRecorder();
  await expect(recorder.read(recorder.input(spec))).rejects.toThrow(/only infers shapes/);
});
