import { createMeta, noGrad, onBackend } from '@convoke/core';
import { summary } from '@convoke/nn';
import { readSafetensors } from '@convoke/weights/node';
import { describe, expect, it } from 'vitest';

import { mobilenetV1, mobilenetV1KerasNames } from '../../src/architectures/mobilenet-v1.ts';
import {
  backendNames,
  build,
  indexOfLargest,
  photosOf,
  relativeError,
  sharedPaths,
  useBackend,
} from './lab.ts';

/** [H, W, in, out], or [H, W, channels, 1] of a depthwise kernel, to [out, in / groups, H, W]. */
function toOIHW(
  data: ArrayLike<number>,
  shape: readonly number[],
  depthwise: boolean,
): Float32Array {
  const [height, width, third, fourth] = shape as [number, number, number, number];
  const [outputs, inputs] = depthwise ? [third, fourth] : [fourth, third];
  const result = new Float32Array(data.length);
  let at = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let pixel = 0; pixel < height * width; pixel++) {
        const [a, b] = depthwise ? [o, i] : [i, o];
        result[at++] = data[(pixel * third + a) * fourth + b]!;
      }
    }
  }
  return result;
}

describe.each(backendNames)('MobileNetV1 0.75 with the weights from Keras on %s', (name) => {
  it('gives the logits of TensorFlow.js for six photos, and knows an Egyptian cat', async () => {
    await useBackend(name);
    const files = sharedPaths(['models/mobilenet_v1_0.75_224.keras.safetensors']);
    const photos = await photosOf('mobilenet_v1_0.75_224', (value) => value / 127.5 - 1);
    if (!files || !photos) return;
    const model = build(mobilenetV1, 'mobilenet_v1_0.75_224');
    const slots = model.stateDict();
    const names = mobilenetV1KerasNames();
    const { tensors } = await readSafetensors(files[0]!);
    expect([...tensors.keys()].toSorted()).toEqual(Object.keys(names).toSorted());
    const converted = [...tensors].map(([keras, { dtype, shape, data }]) => {
      const ours = names[keras]!;
      const values =
        shape.length === 4
          ? toOIHW(data as Float32Array, shape, keras.includes('depthwise'))
          : data;
      return [ours, { dtype, shape: slots.get(ours)!.shape, data: values }] as const;
    });
    model.loadStateDict(new Map(converted));

    const answers = new Map<string, number>();
    const errors: number[] = [];
    for (const photo of photos) {
      const logits = await noGrad(() => model.forward(photo.x)).data();
      errors.push(relativeError(logits, photo.logits));
      answers.set(photo.name, indexOfLargest(logits));
    }
    expect(errors).toHaveLength(6);
    expect(Math.max(...errors)).toBeLessThan(1e-3);
    expect(answers.get('chelsea-cat')).toBe(285);
    expect(answers.get('coffee')).toBe(967);
  });
});

describe('mobilenet_v1', () => {
  it('has the same counts by the option width as by the variant of that width', () => {
    onBackend(createMeta(), () => {
      const byOption = summary(
        build(mobilenetV1, 'mobilenet_v1', { width: 0.5 }),
        [1, 3, 224, 224],
      );
      const { params, macs } = mobilenetV1.variants['mobilenet_v1_0.5'];
      expect(byOption).toMatchObject({ parameters: params, macs });
    });
  });
});
