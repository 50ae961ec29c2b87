// One LeNet-5 in training, whose trainer moves from backend to backend between two steps. Nothing here touches the page.

import { Generator, type Backend } from '@convoke/core';
import { batches, idxDataset, parseIdx, type Dataset } from '@convoke/data';
import {
  Adam,
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
  Trainer,
  type Module,
} from '@convoke/nn';

function lenet5(generator: Generator): Module {
  return new Sequential({
    conv1: new Conv2d({ inChannels: 1, outChannels: 6, kernelSize: 5, padding: 2, generator }),
    relu1: new ReLU(),
    pool1: new MaxPool2d({ kernelSize: 2 }),
    conv2: new Conv2d({ inChannels: 6, outChannels: 16, kernelSize: 5, generator }),
    relu2: new ReLU(),
    pool2: new MaxPool2d({ kernelSize: 2 }),
    flatten: new Flatten(),
    fc1: new Linear({ inFeatures: 400, outFeatures: 120, generator }),
    relu3: new ReLU(),
    fc2: new Linear({ inFeatures: 120, outFeatures: 84, generator }),
    relu4: new ReLU(),
    fc3: new Linear({ inFeatures: 84, outFeatures: 10, generator }),
  });
}

export interface SwapStep {
  readonly step: number;
  readonly backend: string;
  readonly loss: number;
}

export interface SwapOptions {
  readonly data: Dataset;
  /** In the order of the journey; the first is where it begins. */
  readonly backends: readonly Backend[];
  readonly stepsEach: number;
  readonly batchSize?: number | undefined;
  readonly seed?: number | undefined;
  readonly onStep?: ((step: SwapStep) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Trains `stepsEach` steps on each backend in turn, and gives the loss of every step. Frees what it made. */
export async function trainAndSwap(options: SwapOptions): Promise<SwapStep[]> {
  const { data, backends, stepsEach, batchSize = 64, seed = 1, onStep, signal } = options;
  const model = lenet5(new Generator(seed));
  await model.to(backends[0]!);
  const optimizer = new Adam(model.namedParameters(), { lr: 1e-3 });
  const trainer = new Trainer({ model, optimizer });
  const steps: SwapStep[] = [];
  const total = stepsEach * backends.length;
  const source = batches(data, { batchSize, shuffle: true, seed, dropLast: true });
  const finished = new AbortController();
  try {
    await trainer.fit(source, {
      epochs: Math.ceil(total / source.batchesPerEpoch),
      signal: signal ? AbortSignal.any([signal, finished.signal]) : finished.signal,
      callbacks: [
        {
          async onStep({ step, loss }) {
            const leg = Math.floor((step - 1) / stepsEach);
            const made = { step, backend: backends[leg]!.name, loss };
            steps.push(made);
            onStep?.(made);
            if (step === total) finished.abort(finished);
            else if (step % stepsEach === 0) await trainer.to(backends[leg + 1]!);
          },
        },
      ],
    });
  } catch (error) {
    // The journey's end is the only abort that is not a failure.
    if (error !== finished) throw error;
  } finally {
    optimizer.dispose();
    model.dispose();
  }
  return steps;
}

async function unpacked(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url}: status ${response.status}`);
  const stream = response.body.pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Images and labels in gzipped IDX files at two addresses. */
export async function loadIdx(images: string, labels: string): Promise<Dataset> {
  const [pixels, classes] = await Promise.all([unpacked(images), unpacked(labels)]);
  return idxDataset({ ...parseIdx(pixels), file: images }, { ...parseIdx(classes), file: labels });
}
