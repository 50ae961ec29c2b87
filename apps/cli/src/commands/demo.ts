// convoke demo: trains LeNet-5 on small grey images and shows what it learned.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { DataError, Generator, type Backend } from '@convoke/core';
import { batches, type Batches, type Dataset } from '@convoke/data';
import { loadIdxDataset } from '@convoke/data/node';
import {
  Adam,
  formatConfusion,
  oneCycle,
  progress,
  Trainer,
  type EpochRecord,
  type MetricsSummary,
} from '@convoke/nn';
import { checkpointFolder, prepareFolder, saveReport, saveWeights } from '@convoke/nn/node';

import { chooseTuned, describeBackend } from '../backends.ts';
import { oneOf, readOptions, UsageError, wholeNumber, type Command } from '../command.ts';
import { LeNet5 } from '../lenet5.ts';
import { drawPictures } from '../pictures.ts';

const DATASETS = ['fashion-mnist', 'mnist'] as const;
const CLASS_NAMES: Readonly<Record<(typeof DATASETS)[number], readonly string[]>> = {
  'fashion-mnist': [
    'T-shirt/top',
    'trouser',
    'pullover',
    'dress',
    'coat',
    'sandal',
    'shirt',
    'sneaker',
    'bag',
    'ankle boot',
  ],
  mnist: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
};
/** The sample that comes along; found from the package's root, wherever this file was bundled to. */
const SAMPLE = join(
  dirname(fileURLToPath(import.meta.resolve('@convoke/cli/package.json'))),
  'data/fashion-mnist',
);
const BATCH_SIZE = 64;
const MAX_LEARNING_RATE = 4e-3;

const usage = `Usage: npm run demo -- [OPTIONS]
       convoke demo [OPTIONS]

Trains LeNet-5 (61,706 parameters) on 28 x 28 grey images: the sample of Fashion-MNIST that comes along (2,000 training and 500 test
images), or IDX files of yours.

Data:
  --dataset NAME         ${DATASETS.join(' or ')} (default fashion-mnist); mnist needs --data
  --data DIR             folder with {train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not

Training:
  --epochs N             default 20
  --seed N               of initial weights and the order of images (default 1); equal seeds give equal weights
  --backend NAME         js or workers; the best that works here unless given
  --threads N            of backend workers; all cores unless given, at most 8
  --precision P          of backend workers: fast (default) or strict

Saving:
  --out DIR              for weights.safetensors and report.html (default convoke-demo)
  --checkpoint DIR       save the state of training here after every epoch
  --checkpoint-every N   and after every N steps
  --resume               go on from the checkpoint in DIR; starts afresh where there is none

Output:
  --json                 print one JSON object and nothing else on standard output; progress goes to standard error

Exit status: 0 when done; 130 after Ctrl-C, which saves where there is a --checkpoint; 1 or 2 on an error.
`;

type DatasetName = (typeof DATASETS)[number];

interface Data {
  readonly train: Dataset;
  readonly test: Dataset;
}

async function loadData(name: DatasetName, folder: string | undefined): Promise<Data> {
  if (folder === undefined && name !== 'fashion-mnist') {
    throw new UsageError(
      `--dataset ${name} needs --data DIR: only a sample of Fashion-MNIST comes along`,
    );
  }
  const source = folder === undefined ? SAMPLE : resolve(folder);
  const options = { classNames: CLASS_NAMES[name] };
  // One after the other: of several mistakes it is always the same that is told.
  const train = await loadIdxDataset(source, 'train', options);
  const test = await loadIdxDataset(source, 't10k', options);
  for (const { sampleShape } of [train, test]) {
    const [, height, width] = sampleShape;
    if (height === 28 && width === 28) continue;
    throw new DataError(
      `the images in ${source} are ${height} x ${width}; LeNet-5 here takes 28 x 28, the size of MNIST and Fashion-MNIST`,
    );
  }
  return { train, test };
}

/** Writes to `stream`, or nowhere. */
type Say = (text: string) => void;

async function showPredictions(
  trainer: Trainer,
  test: Dataset,
  say: Say,
  columns: number,
  colour: boolean,
): Promise<void> {
  // A spread over the test set, the same every time.
  const count = Math.min(8, test.size);
  const [, height, width] = test.sampleShape as [number, number, number];
  const inputs = new Float32Array(count * height * width);
  const indices = Array.from({ length: count }, (_, i) => Math.floor((i * test.size) / count));
  indices.forEach((index, i) => test.read(index, inputs, i * height * width));
  const labels = Int32Array.from(indices, (index) => test.labels[index]!);
  const batch = { inputs, inputShape: [count, 1, height, width], labels };
  const { data, shape } = await trainer.predict({ batchesPerEpoch: 1, epoch: () => [batch] });
  const classes = shape[1]!;
  const nameOf = (k: number): string => test.classNames?.[k] ?? String(k);
  const pictures = indices.map((_, i) => {
    const row = data.subarray(i * classes, (i + 1) * classes);
    const predicted = row.indexOf(Math.max(...row));
    const right = predicted === labels[i];
    return {
      pixels: inputs.subarray(i * height * width, (i + 1) * height * width),
      width,
      height,
      caption: [
        `${right ? 'right' : 'WRONG'}: ${nameOf(predicted)}`,
        right ? '' : `(it is ${nameOf(labels[i]!)})`,
      ],
    };
  });
  say(`Some predictions:\n\n${drawPictures(pictures, { colour, columns })}\n`);
}

interface Finished {
  readonly history: readonly EpochRecord[];
  readonly trained: MetricsSummary;
  readonly tested: MetricsSummary;
}

const percent = (share: number | null): string => `${(100 * (share ?? 0)).toFixed(1)} %`;

/** Seconds of training, and images trained on in each. */
function throughput(history: readonly EpochRecord[]): { seconds: number; imagesPerSecond: number } {
  const seconds = history.reduce((sum, record) => sum + record.seconds, 0);
  const images = history.reduce((sum, record) => sum + record.images, 0);
  return { seconds, imagesPerSecond: seconds > 0 ? images / seconds : 0 };
}

/** Saves weights and report; gives the weights' sha256. */
async function save(
  folder: string,
  model: LeNet5,
  finished: Finished,
  title: string,
  classNames: readonly string[],
): Promise<string> {
  const weights = join(folder, 'weights.safetensors');
  await saveWeights(weights, model);
  const { seconds, imagesPerSecond } = throughput(finished.history);
  await saveReport(join(folder, 'report.html'), {
    title,
    history: finished.history,
    figures: [
      ['test accuracy', percent(finished.tested.accuracy)],
      ['training accuracy', percent(finished.trained.accuracy)],
      ['test loss', finished.tested.loss.toFixed(4)],
      ['seconds of training', seconds.toFixed(1)],
      ['images per second', Math.round(imagesPerSecond)],
    ],
    confusion: finished.tested.confusion,
    labels: classNames,
  });
  return createHash('sha256')
    .update(await readFile(weights))
    .digest('hex');
}

/** Aborts on Ctrl-C; a second one ends the process at once. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () =>
    controller.abort(Object.assign(new Error('interrupted'), { code: 'interrupted' })),
  );
  return controller.signal;
}

interface Settings {
  readonly dataset: DatasetName;
  readonly data: Data;
  readonly epochs: number;
  readonly seed: number;
  readonly backend: Backend;
  readonly checkpoint: string | undefined;
  readonly checkpointEvery: number | undefined;
  readonly resume: boolean;
}

function trainingBatches({ data, seed }: Settings): Batches {
  return batches(data.train, {
    batchSize: BATCH_SIZE,
    shuffle: true,
    seed,
    dropLast: data.train.size > BATCH_SIZE,
  });
}

async function learn(
  settings: Settings,
  stream: NodeJS.WriteStream,
): Promise<{ trainer: Trainer; model: LeNet5; finished: Finished }> {
  const { data, epochs, seed, checkpoint, checkpointEvery, resume } = settings;
  const model = new LeNet5({ numClasses: data.train.numClasses, generator: new Generator(seed) });
  const optimizer = new Adam(model.namedParameters(), { lr: MAX_LEARNING_RATE });
  const source = trainingBatches(settings);
  const totalSteps = Math.max(1, epochs * source.batchesPerEpoch);
  const trainer = new Trainer({
    model,
    optimizer,
    schedule: oneCycle({ maxLr: MAX_LEARNING_RATE, totalSteps }),
  });
  const { history } = await trainer.fit(source, {
    epochs,
    validation: batches(data.test, { batchSize: 500 }),
    callbacks: [progress(stream)],
    signal: interruptible(),
    ...(checkpoint !== undefined && {
      checkpoints: {
        store: checkpointFolder(resolve(checkpoint)),
        ...(checkpointEvery !== undefined && { everySteps: checkpointEvery }),
        resume,
        config: {
          dataset: settings.dataset,
          images: data.train.size,
          seed,
          backend: settings.backend.name,
        },
      },
    }),
  });
  const trained = await trainer.evaluate(batches(data.train, { batchSize: 500 }));
  const tested = await trainer.evaluate(batches(data.test, { batchSize: 500 }));
  return { trainer, model, finished: { history, trained, tested } };
}

async function run(args: readonly string[]): Promise<number> {
  const values = readOptions('demo', args, {
    dataset: { type: 'string', default: 'fashion-mnist' },
    data: { type: 'string' },
    epochs: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    backend: { type: 'string' },
    threads: { type: 'string' },
    precision: { type: 'string' },
    out: { type: 'string', default: 'convoke-demo' },
    checkpoint: { type: 'string' },
    'checkpoint-every': { type: 'string' },
    resume: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const dataset = oneOf('dataset', values.dataset, DATASETS);
  const epochs = wholeNumber('epochs', values.epochs, 0, 100_000);
  const seed = wholeNumber('seed', values.seed, 0);
  const every = values['checkpoint-every'];
  const checkpointEvery =
    every === undefined ? undefined : wholeNumber('checkpoint-every', every, 1);
  if (values.checkpoint === undefined && (values.resume || checkpointEvery !== undefined)) {
    throw new UsageError('--resume and --checkpoint-every need --checkpoint DIR');
  }
  const threads =
    values.threads === undefined ? undefined : wholeNumber('threads', values.threads, 1, 64);
  const precision =
    values.precision === undefined
      ? undefined
      : oneOf('precision', values.precision, ['fast', 'strict']);
  const out = resolve(values.out);
  await prepareFolder(out);
  const data = await loadData(dataset, values.data);
  const { backend, notes } = await chooseTuned(values.backend, { threads, precision });

  const stream = values.json ? process.stderr : process.stdout;
  const say: Say = (text) => void stream.write(`${text}\n`);
  for (const note of notes) process.stderr.write(`${note}\n`);
  say(
    `LeNet-5 learns ${dataset}: ${data.train.size} training and ${data.test.size} test images, ${epochs} epochs, seed ${seed}, backend ${describeBackend(backend)}`,
  );
  const settings = {
    dataset,
    data,
    epochs,
    seed,
    backend,
    checkpoint: values.checkpoint,
    checkpointEvery,
    resume: values.resume,
  };
  const { trainer, model, finished } = await learn(settings, stream);
  const { history, trained, tested } = finished;
  const weightsSha256 = await save(
    out,
    model,
    finished,
    `LeNet-5 on ${dataset}, seed ${seed}`,
    CLASS_NAMES[dataset],
  );
  const { seconds, imagesPerSecond } = throughput(history);

  say('');
  await showPredictions(trainer, data.test, say, stream.columns ?? 80, stream.isTTY === true);
  say(`Confusion matrix of the test images (rows: actual class, columns: predicted class):\n`);
  say(`${formatConfusion(tested.confusion, CLASS_NAMES[dataset])}\n`);
  say(`test accuracy      ${percent(tested.accuracy)}`);
  say(`training accuracy  ${percent(trained.accuracy)}`);
  say(
    `throughput         ${Math.round(imagesPerSecond)} images/s, ${seconds.toFixed(1)} s of training`,
  );
  say(`weights            ${join(out, 'weights.safetensors')}`);
  say(`report             ${join(out, 'report.html')}`);
  if (values.json) {
    const result = {
      backend: backend.name,
      dataset,
      epochs,
      trainAccuracy: trained.accuracy,
      testAccuracy: tested.accuracy,
      seconds,
      imagesPerSecond,
      weightsSha256,
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  return 0;
}

export const demo: Command = {
  name: 'demo',
  summary: 'train LeNet-5 on real images and show what it learned',
  usage,
  run,
};
