// `convoke classify`: what is on pictures, by a network of the zoo with weights from a file.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { createMeta, noGrad, scope, softmax, tensor, type Backend } from '@convoke/core';
import {
  applyPreprocess,
  imagenetPreprocess,
  signedPreprocess,
  type Preprocess,
} from '@convoke/image';
import { decode } from '@convoke/image/node';
import type { Module } from '@convoke/nn';
import { mapWeights } from '@convoke/weights';
import { readWeights } from '@convoke/weights/node';
import { createModel, modelInfo } from '@convoke/zoo';
import { mobilenetV1KerasNames } from '@convoke/zoo/mobilenet-v1';

import { chooseTuned, describeBackend } from '../backends.ts';
import { oneOf, UsageError, wholeNumber, type Command } from '../command.ts';

const usage = `convoke classify: tell what is on pictures

Usage: convoke classify IMAGE... --model NAME --weights FILE [OPTIONS]

  --model NAME      a network of the zoo, such as squeezenet1_1
  --weights FILE    its weights: safetensors, PyTorch, Keras, TensorFlow.js or NumPy, told by content
  --backend NAME    default: the best available one
  --threads N       how many threads the backend may use
  --precision WORD  fast (default) or strict
  --top N           how many answers a picture gets (default 5)
  --json            print a line of JSON a picture and nothing else on standard output

JPEG, PNG, WebP, GIF and BMP files are read. Pictures are prepared as the network was trained: for ImageNet the shorter side to 256
pixels, the middle 224 x 224 (or the network's own size), and ImageNet's mean and deviation.
`;

const CLASSES = fileURLToPath(new URL('../data/imagenet-classes.txt', import.meta.url));

interface Answer {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
}

/** How pictures become the network's input. */
function preprocessOf(model: string, size: number, channels: number): Preprocess {
  if (model.endsWith('_224')) return signedPreprocess({ width: size, height: size });
  if (channels === 1) return { channels: 'gray', resize: { width: size, height: size } };
  const resize = Math.round((size * 256) / 224);
  return imagenetPreprocess({ resize, crop: size });
}

/** Lines of `n01440764 tench, Tinca tinca`; the first name counts. Numbers where the classes are not ImageNet's. */
async function labelsFor(count: number): Promise<readonly string[]> {
  if (count !== 1000) return Array.from({ length: count }, (_, i) => `class ${i}`);
  const lines = (await readFile(CLASSES, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => line.slice(line.indexOf(' ') + 1).split(',')[0]!);
}

/** The network with the file's weights, on `backend`. No initial values are made on the way. */
async function load(name: string, file: string, backend: Backend): Promise<Module> {
  const model = (await createModel(name, { backend: createMeta() })).eval();
  const slots = model.stateDict();
  const content = await readWeights(resolve(file));
  const { tensors } = await mapWeights(
    content,
    [...slots].map(([key, { shape }]) => [key, shape] as const),
    {
      file,
      ...(name.endsWith('_224') && { rename: mobilenetV1KerasNames(), batchNormEpsilon: 1e-3 }),
    },
  );
  for (const [key, slot] of slots) {
    const value = tensors.get(key);
    if (value) slot.moveTo(backend, backend.upload(slot.spec, value.data));
  }
  return model;
}

async function classify(
  model: Module,
  backend: Backend,
  { data, shape }: { readonly data: Float32Array; readonly shape: readonly number[] },
  labels: readonly string[],
  top: number,
): Promise<Answer[]> {
  const probabilities = await scope(() =>
    noGrad(() => softmax(model.forward(tensor(data, { shape, backend })))).data(),
  );
  return Array.from(probabilities, (probability, index) => ({ index, probability }))
    .toSorted((a, b) => b.probability - a.probability)
    .slice(0, top)
    .map(({ index, probability }) => ({ index, label: labels[index]!, probability }));
}

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  const { model: name, weights } = values;
  if (name === undefined) throw new UsageError('classify: --model NAME is missing');
  if (weights === undefined) throw new UsageError('classify: --weights FILE is missing');
  if (positionals.length === 0) throw new UsageError('classify: no picture is given');
  const top = wholeNumber('top', values.top, 1, 1000);
  const say = (text: string): void => {
    if (!values.json) process.stdout.write(`${text}\n`);
  };
  const { backend } = await chooseTuned(values.backend, {
    threads: values.threads === undefined ? undefined : wholeNumber('threads', values.threads, 1),
    precision:
      values.precision === undefined
        ? undefined
        : oneOf('precision', values.precision, ['fast', 'strict']),
  });
  const info = await modelInfo(name);
  const labels = await labelsFor(info.numClasses);
  const preprocess = preprocessOf(info.name, info.input.size, info.input.channels);
  const model = await load(name, weights, backend);
  say(
    `${info.name} on ${describeBackend(backend)}, pictures prepared by ${JSON.stringify(preprocess)}\n`,
  );
  let failures = 0;
  for (const image of positionals) {
    try {
      const pixels = await decode(resolve(image), {
        channels: info.input.channels === 1 ? 1 : 3,
      });
      const input = applyPreprocess(pixels, preprocess);
      const started = performance.now();
      const answers = await classify(model, backend, input, labels, top);
      const ms = performance.now() - started;
      if (values.json) {
        const line = { image, model: info.name, backend: backend.name, ms, top: answers };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      }
      say(`${image} (${ms.toFixed(1)} ms)`);
      for (const { label, probability } of answers)
        say(`  ${(100 * probability).toFixed(1).padStart(5)} %  ${label}`);
    } catch (error) {
      failures++;
      process.stderr.write(`convoke classify: ${image}: ${(error as Error).message}\n`);
    }
  }
  model.dispose();
  return failures > 0 ? 1 : 0;
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        model: { type: 'string' },
        weights: { type: 'string' },
        backend: { type: 'string' },
        threads: { type: 'string' },
        precision: { type: 'string' },
        top: { type: 'string', default: '5' },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    const problem = (error as Error).message.replace(/\.$/, '');
    throw new UsageError(`classify: ${problem}. See convoke classify --help`);
  }
}

export const classifyCommand: Command = {
  name: 'classify',
  summary: 'tell what is on pictures',
  usage,
  run,
};
