// `convoke classify`: what is on pictures, by a network of the zoo with published weights or weights from a file.

import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { imagenetPreprocess, type Image, type Preprocess } from '@convoke/image';
import { decode } from '@convoke/image/node';
import { openWeights } from '@convoke/weights/node';
import {
  findPretrained,
  modelInfo,
  needsAcceptance,
  type ModelInfo,
  type PretrainedWeights,
} from '@convoke/zoo';
import {
  createClassifier,
  type Classifier,
  type ImageSource,
  type Prediction,
} from '@convoke/zoo/node';

import { chooseTuned, describeBackend } from '../backends.ts';
import { oneOf, parsedBy, UsageError, wholeNumber, type Command } from '../command.ts';
import { ProgressLine } from '../progress.ts';

const usage = `convoke classify: tell what is on pictures

Usage: convoke classify IMAGE... --model NAME (--weights FILE | --pretrained TAG) [OPTIONS]

  --model NAME      a network of the zoo, such as squeezenet1_1
  --weights FILE    its weights: safetensors, PyTorch, Keras, TensorFlow.js or NumPy, told by content
  --pretrained TAG  published weights, downloaded once; with --weights: those that the file is like
  --accept-license  you have read the licence of weights that need it (not stated, or not for commercial use)
  --backend NAME    default: the best available one
  --threads N       how many threads the backend may use
  --precision WORD  fast (default) or strict
  --batch N         how many pictures go through the network together (default 8)
  --top N           how many answers a picture gets (default 5)
  --json            print a line of JSON a picture and nothing else on standard output

JPEG, PNG, WebP and GIF files are read by sharp, which is installed apart (npm install --global sharp); BMP and PNM without it.
A picture is prepared as the weights want it, which the first line tells; its time is its share of what its batch took, from
pixels to probabilities, and the first batch takes longer: weights are packed and code is compiled. A picture that cannot be
read is named, the others are classified, and the exit status is 1.
`;

/** How pictures become the input of a network that nothing published is known of. */
function guessPreprocess({ input, numClasses }: ModelInfo): Preprocess {
  const { size, channels } = input;
  if (numClasses === 1000 && channels === 3)
    return imagenetPreprocess({ resize: Math.round((size * 256) / 224), crop: size });
  return { channels: channels === 1 ? 'gray' : 'RGB', resize: { width: size, height: size } };
}

/** The published weights that a file is like: those of `tag`, or the first where all are of the same classes. */
function likeness(
  file: string,
  { name, pretrained }: ModelInfo,
  tag: string | undefined,
): PretrainedWeights | undefined {
  if (tag !== undefined) return findPretrained(name, tag);
  const prepared = pretrained.filter(({ preprocess }) => preprocess !== null);
  if (new Set(prepared.map(({ classes }) => classes)).size > 1) {
    const tags = prepared.map((entry) => `'${entry.tag}'`).join(' or ');
    throw new UsageError(
      `classify: weights of ${name} are published for several sets of classes; say which ${file} is like: --pretrained ${tags}`,
    );
  }
  return prepared[0];
}

function fromFile(file: string, info: ModelInfo, tag: string | undefined): PretrainedWeights {
  const like = likeness(file, info, tag);
  const { input, numClasses } = info;
  return {
    model: info.name,
    tag: basename(file),
    licence: { code: null, weights: null, data: null },
    preprocess: guessPreprocess(info),
    classes: numClasses === 1000 ? 'imagenet-1k' : null,
    numClasses,
    inChannels: input.channels,
    top1: null,
    top5: null,
    verified: false,
    ...like,
    origin: { kind: 'file', open: () => openWeights(resolve(file)) },
  };
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

interface Arguments {
  readonly images: readonly string[];
  readonly model: string;
  readonly weights: string | undefined;
  readonly pretrained: string | undefined;
  readonly accept: boolean;
  readonly json: boolean;
  readonly top: number;
  readonly batch: number;
}

async function load(args: Arguments, progress: ProgressLine): Promise<Classifier<ImageSource>> {
  const info = await modelInfo(args.model);
  const weights =
    args.weights === undefined
      ? findPretrained(info.name, args.pretrained)
      : fromFile(args.weights, info, args.pretrained);
  // A file on this machine is its owner's affair.
  const acceptLicense = args.accept || args.weights !== undefined;
  if (!acceptLicense && needsAcceptance(weights)) {
    const { licence, model, tag } = weights;
    const stated =
      licence.weights ?? `not stated (that of their code: ${licence.code ?? 'neither'})`;
    throw new UsageError(
      `classify: the licence of the weights '${tag}' of ${model} is ${stated}; if you may use them, add --accept-license`,
    );
  }
  const classifier = await createClassifier(weights, {
    acceptLicense,
    onProgress: ({ file, loaded, total, phase }) =>
      progress.update({
        label: `${phase} ${file}`,
        done: loaded,
        total,
        text:
          total === null
            ? `${megabytes(loaded)} MB`
            : `${megabytes(loaded)}/${megabytes(total)} MB`,
      }),
  });
  progress.clear();
  return classifier;
}

/** What a run is about to do, and on whose word. */
function introduction(
  { weights, preprocess, backend, file }: Classifier<ImageSource>,
  { weights: given, pretrained }: Arguments,
): string {
  const words = [
    `${weights.model} on ${describeBackend(backend)}`,
    `pictures prepared by ${JSON.stringify(preprocess)}`,
  ];
  if (given !== undefined && weights.tag === basename(given))
    words.push('which is a guess: nothing published is known of this network');
  else if (given !== undefined && pretrained === undefined)
    words.push(
      `as for weights '${weights.tag}'; --pretrained TAG names others that the file is like`,
    );
  if (file?.integrity === 'first')
    words.push(`nothing to compare the file with yet: its sha256 ${file.sha256} is recorded`);
  return words.join(', ');
}

/** Each picture's pixels, or why there are none. */
async function decodeAll(images: readonly string[]): Promise<PromiseSettledResult<Image>[]> {
  return Promise.allSettled(images.map((image) => decode(resolve(image), { name: image })));
}

/** Returns how many pictures could not be read. */
async function classifyAll(
  classifier: Classifier<ImageSource>,
  { images, top, batch, json }: Arguments,
  progress: ProgressLine,
): Promise<number> {
  const { weights, backend } = classifier;
  const show = (image: string, ms: number, answers: readonly Prediction[]): void => {
    if (json) {
      const line = { image, model: weights.model, backend: backend.name, ms, top: answers };
      process.stdout.write(`${JSON.stringify(line)}\n`);
      return;
    }
    process.stdout.write(`${image} (${ms.toFixed(1)} ms)\n`);
    for (const { label, probability } of answers)
      process.stdout.write(`  ${(100 * probability).toFixed(1).padStart(5)} %  ${label}\n`);
  };
  let failures = 0;
  let pending = decodeAll(images.slice(0, batch));
  for (let first = 0; first < images.length; first += batch) {
    const names = images.slice(first, first + batch);
    const decoded = await pending;
    // The next ones are decoded while these are computed.
    pending = decodeAll(images.slice(first + batch, first + 2 * batch));
    const readable = decoded.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const started = performance.now();
    const answers = await classifier.classifyAll(readable, { top, batchSize: batch });
    const ms = (performance.now() - started) / Math.max(1, readable.length);
    progress.clear();
    for (const [i, one] of decoded.entries()) {
      if (one.status === 'fulfilled') show(names[i]!, ms, answers.shift()!);
      else {
        failures++;
        const { message } = one.reason as Error;
        const named = message.startsWith(names[i]!) ? message : `${names[i]}: ${message}`;
        process.stderr.write(`convoke classify: ${named}\n`);
      }
    }
    if (images.length > batch) {
      const done = first + names.length;
      const text = `${done}/${images.length}`;
      progress.update({ label: 'pictures', done, total: images.length, text });
    }
  }
  progress.clear();
  return failures;
}

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  const { model, weights, pretrained, json } = values;
  if (model === undefined) throw new UsageError('classify: --model NAME is missing');
  if (weights === undefined && pretrained === undefined)
    throw new UsageError('classify: --weights FILE or --pretrained TAG is missing');
  if (positionals.length === 0) throw new UsageError('classify: no picture is given');
  const given: Arguments = {
    images: positionals,
    model,
    weights,
    pretrained,
    json,
    accept: values['accept-license'],
    top: wholeNumber('top', values.top, 1, 1000),
    batch: wholeNumber('batch', values.batch, 1, 1024),
  };
  const { notes } = await chooseTuned(values.backend, {
    threads: values.threads === undefined ? undefined : wholeNumber('threads', values.threads, 1),
    precision:
      values.precision === undefined
        ? undefined
        : oneOf('precision', values.precision, ['fast', 'strict']),
  });
  for (const note of notes) process.stderr.write(`convoke classify: ${note}\n`);
  const progress = new ProgressLine(process.stderr);
  const classifier = await load(given, progress);
  const stream = json ? process.stderr : process.stdout;
  stream.write(`${introduction(classifier, given)}\n`);
  const failures = await classifyAll(classifier, given, progress);
  classifier.dispose();
  return failures > 0 ? 1 : 0;
}

function readArguments(args: readonly string[]) {
  return parsedBy('classify', () =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        model: { type: 'string' },
        weights: { type: 'string' },
        pretrained: { type: 'string' },
        'accept-license': { type: 'boolean', default: false },
        backend: { type: 'string' },
        threads: { type: 'string' },
        precision: { type: 'string' },
        batch: { type: 'string', default: '8' },
        top: { type: 'string', default: '5' },
        json: { type: 'boolean', default: false },
      },
    }),
  );
}

export const classifyCommand: Command = {
  name: 'classify',
  summary: 'tell what is on pictures',
  usage,
  run,
};
