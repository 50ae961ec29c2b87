import { expect, test } from 'vitest';

import { onnxruntimeNode } from '../src/contenders/onnxruntime.ts';
import { onnxModel, OUTPUT } from '../src/onnx.ts';
import { isInstalled } from '../src/peers.ts';
import { kernelCase, kernelNames } from '../src/suites/kernels.ts';

/** A protocol buffer message as the values of its fields, by number; messages and texts stay bytes. */
function fields(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const found = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [key >> 3, key & 7];
    let value: number | Uint8Array;
    if (wire === 0) value = varint();
    else {
      const length = wire === 5 ? 4 : varint();
      value = bytes.subarray(at, at + length);
      at += length;
    }
    found.set(field, [...(found.get(field) ?? []), value]);
  }
  return found;
}

const message = (bytes: unknown): Map<number, (number | Uint8Array)[]> =>
  fields(bytes as Uint8Array);
const text = (bytes: unknown): string => new TextDecoder().decode(bytes as Uint8Array);

const weight = Float32Array.from({ length: 300 }, (_, i) => i / 7);
const model = onnxModel(
  {
    op: 'Conv',
    attributes: { group: 300, pads: [1, 0, 1, 0], approximate: 'tanh', epsilon: { float: 0.5 } },
    inputs: [
      { name: 'x', shape: [1, 300, 4, 4] },
      { name: 'weight', shape: [300, 1, 1, 1], values: weight },
    ],
  },
  [1, 300, 6, 4],
);

test('the one node has its op, inputs, output and typed attributes', () => {
  const graph = message(message(model).get(7)![0]);
  const node = message(graph.get(1)![0]);
  expect(node.get(1)!.map(text)).toEqual(['x', 'weight']);
  expect(node.get(2)!.map(text)).toEqual([OUTPUT]);
  expect(text(node.get(4)![0])).toBe('Conv');
  const attributes = new Map(
    node.get(5)!.map((bytes) => [text(message(bytes).get(1)![0]), message(bytes)]),
  );
  expect(attributes.get('group')!.get(3)).toEqual([300]);
  expect(attributes.get('pads')!.get(8)).toEqual([1, 0, 1, 0]);
  expect(text(attributes.get('approximate')!.get(4)![0])).toBe('tanh');
  const float = attributes.get('epsilon')!.get(2)![0] as Uint8Array;
  expect(new DataView(float.buffer, float.byteOffset).getFloat32(0, true)).toBe(0.5);
  // AttributeProto.AttributeType: FLOAT 1, INT 2, STRING 3, INTS 7.
  expect([...attributes.values()].map((attribute) => attribute.get(20)![0])).toEqual([2, 7, 3, 1]);
});

test('inputs with values are initialisers, the others inputs of the graph', () => {
  const graph = message(message(model).get(7)![0]);
  expect(graph.get(11)!.map((bytes) => text(message(bytes).get(1)![0]))).toEqual(['x']);
  const initializer = message(graph.get(5)![0]);
  expect(initializer.get(1)).toEqual([300, 1, 1, 1]);
  expect(text(initializer.get(8)![0])).toBe('weight');
  const raw = new Uint8Array(initializer.get(9)![0] as Uint8Array);
  expect(new Float32Array(raw.buffer)).toEqual(weight);
});

const installed = isInstalled('onnxruntime-node');
if (!installed) {
  console.warn(
    '\n*** SKIPPED: ONNX models against the real runtime; npm run bench:peers installs onnxruntime-node ***\n',
  );
}

// The larger ones add nothing but time; chains and blocks are no single node.
const cases = kernelNames.filter(
  (name) => !/1024|512-512|256-256|128-128|-x1000|-block-/.test(name),
);
test.runIf(installed).each(cases)(
  'onnxruntime-node computes %s as the reference does',
  async (name) => {
    const benchCase = kernelCase(name);
    const task = await onnxruntimeNode(1).prepare(benchCase);
    if ('unsupported' in task) throw new Error(task.unsupported);
    const result = await task.result();
    await task.dispose?.();
    const largest = benchCase.reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = result.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - benchCase.reference[i]!)),
      0,
    );
    expect(result.length).toBe(benchCase.reference.length);
    expect(worst / largest).toBeLessThan(1e-5);
  },
);
