// What shapes alone tell: built on `meta`, a network of any size costs nothing.

import { sizeOf, tensor, type Shape } from '@convoke/core';
import { captureOutputs, Conv2d, Linear, summary, type Module } from '@convoke/nn';

import { resetHead } from '../adapt.ts';
import { expectSame } from './expect.ts';
import type { Check } from './golden.ts';
import type { Subject } from './subject.ts';

/** Of the logits for one image. */
function logitsShape(model: Module, shape: Shape): Shape {
  return summary(model, shape).layers.at(-1)!.activationShape;
}

function counts({ build, shape, params, macs, numClasses }: Subject): void {
  const counted = summary(build(), shape);
  expectSame('parameters', counted.parameters, params);
  expectSame('multiply-adds', counted.macs, macs);
  expectSame('logits', counted.layers.at(-1)!.activationShape, [1, numClasses]);
}

function smallestSize({ build, input, numClasses }: Subject): string | void {
  const { channels, size, minSize } = input;
  const at = (pixels: number): Shape => logitsShape(build(), [1, channels, pixels, pixels]);
  if (minSize === undefined) return `it takes ${size} pixels and no other size`;
  expectSame(`logits at ${minSize} pixels`, at(minSize), [1, numClasses]);
  if (minSize === 1) return;
  let smaller: Shape;
  try {
    smaller = at(minSize - 1);
  } catch {
    return;
  }
  throw new Error(
    `minSize is ${minSize}, but ${minSize - 1} pixels give logits too, of shape [${smaller.join(', ')}]`,
  );
}

function classesAndChannels({ build, input: { size }, head, stem }: Subject): void {
  const model = build({ numClasses: 7, inChannels: 2 });
  expectSame('logits', logitsShape(model, [1, 2, size, size]), [1, 7]);
  model.moduleAt(head);
  const [, slot] = [...model.moduleAt(stem).stateDict()][0]!;
  expectSame(`channels of the weight at '${stem}'`, slot.shape[1], 2);
}

/** Slots outside the head stay the very same ones. */
async function newHead({ build, shape, head }: Subject): Promise<string | void> {
  const model = build();
  const old = model.moduleAt(head);
  if (!(old instanceof Linear || old instanceof Conv2d)) {
    return `the head is a ${old.constructor.name}, which has no other of its kind`;
  }
  const before = model.stateDict();
  await resetHead(model, head, { numClasses: 7 });
  expectSame('logits', logitsShape(model, shape), [1, 7]);
  const changed = [...model.stateDict()].filter(([name, slot]) => before.get(name) !== slot);
  const own = [...old.stateDict().keys()].map((name) => `${head}.${name}`);
  const names = changed.map(([name]) => name);
  expectSame('parameters that are new', names, own);
}

function taps({ build, shape, head, numClasses }: Subject): void {
  const model = build().eval();
  const { layers } = summary(model, shape);
  const running = [...model.namedChildren().keys()].filter((child) =>
    layers.some(({ name }) => name === child || name.startsWith(`${child}.`)),
  );
  const paths = [...new Set([...running, head])];
  const { backend } = model.parameters()[0]!;
  const x = tensor(new Float32Array(sizeOf(shape)), { shape, backend });
  const { output, taps: captured } = captureOutputs(model, x, paths);
  expectSame('output beside the taps', output.shape, [1, numClasses]);
  expectSame('taps', [...captured.keys()].toSorted(), paths.toSorted());
  expectSame(`channels of the tap at '${head}'`, captured.get(head)!.shape[1], numClasses);
  for (const { name, activationShape } of layers) {
    const tap = captured.get(name);
    if (tap) expectSame(`tap at '${name}'`, tap.shape, activationShape);
  }
}

export function shapeChecks(subject: Subject): Check[] {
  return [
    { name: 'has the parameters and multiply-adds it states', run: async () => counts(subject) },
    { name: 'takes images from the size it states', run: async () => smallestSize(subject) },
    {
      name: 'takes another number of classes and of channels',
      run: async () => classesAndChannels(subject),
    },
    {
      name: 'takes a new head, everything else as before',
      run: async () => newHead(subject),
    },
    { name: 'gives features from inside', run: async () => taps(subject) },
  ];
}
