// TensorFlow.js as a contender, in its own layouts: NHWC for activations, HWIO for filters.

import {
  NO_ZOO,
  shapesOf,
  type Case,
  type Contender,
  type KernelCase,
  type Task,
} from '../contender.ts';
import { lenet5 } from '../networks/lenet5.ts';
import { gradientOfStep } from '../networks/network.ts';

// The part of its API that is used here.
interface Tensor {
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}
interface Variable extends Tensor {
  assign(value: Tensor): void;
}
interface FusedConv {
  readonly x: Tensor;
  readonly filter: Tensor;
  readonly bias: Tensor;
  readonly strides: number;
  readonly pad: 'same';
  readonly activation: 'linear' | 'relu6';
}
export interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  /** What computes now; `gpgpu` is there on WebGL. */
  backend(): { readonly gpgpu?: { createAndWaitForFence(): Promise<void> } };
  tidy<T>(f: () => T): T;
  clone(x: Tensor): Tensor;
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype?: string): Tensor;
  variable(value: Tensor, trainable: boolean, name: string): Variable;
  transpose(x: Tensor, axes: readonly number[]): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  conv2d(x: Tensor, filter: Tensor, stride: number, padding: string | number): Tensor;
  depthwiseConv2d(x: Tensor, filter: Tensor, stride: number, padding: string): Tensor;
  softmax(x: Tensor): Tensor;
  tanh(x: Tensor): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  neg(x: Tensor): Tensor;
  abs(x: Tensor): Tensor;
  sum(x: Tensor, axis?: number): Tensor;
  mean(x: Tensor): Tensor;
  relu(x: Tensor): Tensor;
  maxPool(x: Tensor, size: number, stride: number, padding: string): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  oneHot(labels: Tensor, depth: number): Tensor;
  logSoftmax(x: Tensor): Tensor;
  batchNorm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    offset: Tensor,
    scale: Tensor,
    epsilon: number,
  ): Tensor;
  readonly fused: {
    conv2d(options: FusedConv): Tensor;
    depthwiseConv2d(options: FusedConv): Tensor;
  };
  train: {
    sgd(learningRate: number): {
      minimize(f: () => Tensor, returnCost: boolean, variables: Variable[]): void;
    };
  };
}

const { imageSize: IMAGE, classes: CLASSES } = lenet5;

const TO_NHWC = [0, 2, 3, 1];
const TO_NCHW = [0, 3, 1, 2];
/** OIHW to HWIO. */
const TO_HWIO = [2, 3, 1, 0];
const TO_OIHW = [3, 2, 0, 1];

function gelu(tf: Tfjs, x: Tensor): Tensor {
  const cubed = tf.mul(tf.mul(tf.mul(x, x), x), 0.044715);
  const inner = tf.mul(tf.add(x, cubed), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

function chain(tf: Tfjs, x: Tensor, ops: number): Tensor {
  let y = tf.neg(x);
  for (let i = 1; i < ops; i++) {
    const next = i % 2 === 1 ? tf.abs(y) : tf.neg(y);
    y.dispose();
    y = next;
  }
  return y;
}

interface Prepared {
  readonly inputs: Tensor[];
  compute(): Tensor;
  /** The result in the reference's order. */
  ordered?(y: Tensor): Tensor;
}

function prepare(tf: Tfjs, work: KernelCase, values: Case['inputs']): Prepared {
  const shapes = shapesOf(work);
  const input = (name: string, axes?: readonly number[]): Tensor =>
    tf.tidy(() => {
      const x = tf.tensor(values.get(name)!, shapes[name]!);
      return axes ? tf.transpose(x, axes) : x;
    });
  const ordered = (y: Tensor): Tensor => tf.transpose(y, TO_NCHW);
  switch (work.kind) {
    case 'gemm': {
      const [a, b] = [input('a'), input('b')];
      return { inputs: [a, b], compute: () => tf.matMul(a, b) };
    }
    case 'conv': {
      const { stride, padding } = work;
      const [x, weight] = [input('x', TO_NHWC), input('weight', TO_HWIO)];
      return { inputs: [x, weight], compute: () => tf.conv2d(x, weight, stride, padding), ordered };
    }
    case 'depthwise': {
      // [C, 1, k, k] to [k, k, C, 1].
      const [x, weight] = [input('x', TO_NHWC), input('weight', [2, 3, 0, 1])];
      return {
        inputs: [x, weight],
        compute: () => tf.depthwiseConv2d(x, weight, 1, 'same'),
        ordered,
      };
    }
    case 'block': {
      const x = input('x', TO_NHWC);
      const [expand, project] = [input('expand', TO_HWIO), input('project', TO_HWIO)];
      const filter = input('depthwise', [2, 3, 0, 1]);
      const [expandBias, depthwiseBias, projectBias] = [
        input('expandBias'),
        input('depthwiseBias'),
        input('projectBias'),
      ];
      const common = { strides: 1, pad: 'same', activation: 'relu6' } as const;
      const compute = (): Tensor => {
        const wide = tf.fused.conv2d({ ...common, x, filter: expand, bias: expandBias });
        const mixed = tf.fused.depthwiseConv2d({ ...common, x: wide, filter, bias: depthwiseBias });
        return tf.fused.conv2d({
          ...common,
          x: mixed,
          filter: project,
          bias: projectBias,
          activation: 'linear',
        });
      };
      const inputs = [x, expand, filter, project, expandBias, depthwiseBias, projectBias];
      return { inputs, compute, ordered };
    }
    case 'elementwise': {
      const x = input('x');
      return { inputs: [x], compute: () => gelu(tf, x) };
    }
    case 'softmax': {
      const x = input('x');
      return { inputs: [x], compute: () => tf.softmax(x) };
    }
    case 'chain': {
      const x = input('x');
      return { inputs: [x], compute: () => chain(tf, x, work.ops) };
    }
    case 'batchnorm': {
      const x = input('x', TO_NHWC);
      const [mean, variance, bias, weight] = ['mean', 'variance', 'bias', 'weight'].map((name) =>
        input(name),
      ) as [Tensor, Tensor, Tensor, Tensor];
      return {
        inputs: [x, mean, variance, bias, weight],
        compute: () => tf.batchNorm(x, mean, variance, bias, weight, 1e-5),
        ordered,
      };
    }
    default:
      return work satisfies never;
  }
}

async function valuesOf(y: Tensor): Promise<Float32Array> {
  const values = await y.data();
  y.dispose();
  return values;
}

function kernelTask(tf: Tfjs, work: KernelCase, values: Case['inputs']): Task {
  const { inputs, compute, ordered } = prepare(tf, work, values);
  return {
    run: () => tf.tidy(compute).dispose(),
    result: () =>
      valuesOf(
        tf.tidy(() => {
          const y = compute();
          return ordered ? ordered(y) : y;
        }),
      ),
    dispose: () => inputs.forEach((input) => input.dispose()),
  };
}

/** Takes a parameter from PyTorch's layout to TensorFlow.js's, and back. */
function layoutOf(tf: Tfjs, name: string): { in(x: Tensor): Tensor; out(x: Tensor): Tensor } {
  if (name.startsWith('conv') && name.endsWith('.weight')) {
    return { in: (x) => tf.transpose(x, TO_HWIO), out: (x) => tf.transpose(x, TO_OIHW) };
  }
  if (name === 'fc1.weight') {
    // Its columns are channels, height, width; a flattened NHWC map is height, width, channels.
    return {
      in: (x) =>
        tf.transpose(
          tf.reshape(tf.transpose(tf.reshape(x, [120, 16, 5, 5]), TO_NHWC), [120, 400]),
          [1, 0],
        ),
      out: (x) =>
        tf.reshape(
          tf.transpose(tf.reshape(tf.transpose(x, [1, 0]), [120, 5, 5, 16]), TO_NCHW),
          [120, 400],
        ),
    };
  }
  if (name.endsWith('.weight'))
    return { in: (x) => tf.transpose(x, [1, 0]), out: (x) => tf.transpose(x, [1, 0]) };
  // A copy, for what comes out is disposed once it is read.
  return { in: (x) => x, out: (x) => tf.clone(x) };
}

function trainingTask(tf: Tfjs, { inputs }: Case, batch: number): Task {
  const variables = new Map(
    Object.entries(lenet5.parameters).map(([name, shape]) => {
      const value = tf.tidy(() => layoutOf(tf, name).in(tf.tensor(inputs.get(name)!, shape)));
      return [name, tf.variable(value, true, name)];
    }),
  );
  const at = (name: string): Variable => variables.get(name)!;
  const images = tf.tensor(inputs.get('images')!, [batch, IMAGE, IMAGE, 1]);
  const labels = tf.tidy(() =>
    tf.oneHot(tf.tensor(Int32Array.from(inputs.get('labels')!), [batch], 'int32'), CLASSES),
  );
  const optimizer = tf.train.sgd(lenet5.learningRate);
  const loss = (): Tensor => {
    let x = tf.relu(tf.add(tf.conv2d(images, at('conv1.weight'), 1, 'same'), at('conv1.bias')));
    x = tf.maxPool(x, 2, 2, 'valid');
    x = tf.relu(tf.add(tf.conv2d(x, at('conv2.weight'), 1, 'valid'), at('conv2.bias')));
    x = tf.reshape(tf.maxPool(x, 2, 2, 'valid'), [batch, 400]);
    x = tf.relu(tf.add(tf.matMul(x, at('fc1.weight')), at('fc1.bias')));
    x = tf.relu(tf.add(tf.matMul(x, at('fc2.weight')), at('fc2.bias')));
    const logits = tf.add(tf.matMul(x, at('fc3.weight')), at('fc3.bias'));
    return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), labels), 1)));
  };
  const step = (): void => tf.tidy(() => optimizer.minimize(loss, false, [...variables.values()]));
  return {
    run: step,
    async result() {
      step();
      const after = new Map<string, Float32Array>();
      for (const name of variables.keys())
        after.set(name, await valuesOf(tf.tidy(() => layoutOf(tf, name).out(at(name)))));
      return gradientOfStep(lenet5, inputs, (name) => after.get(name)!);
    },
    dispose() {
      for (const variable of variables.values()) variable.dispose();
      images.dispose();
      labels.dispose();
    },
  };
}

/** Its backends share one engine, which computes on the one that is set. */
function onBackend(tf: Tfjs, backend: string, task: Task): Task {
  const begin = async (): Promise<void> => {
    await tf.setBackend(backend);
  };
  return {
    ...task,
    begin,
    async result() {
      await begin();
      return task.result();
    },
  };
}

/** Waits until a GPU has done what was asked; the others compute at once. */
async function finish(tf: Tfjs, marker: Tensor): Promise<void> {
  const { gpgpu } = tf.backend();
  if (gpgpu) await gpgpu.createAndWaitForFence();
  // WebGPU runs what was enqueued in order: what comes last is read.
  else await valuesOf(tf.add(marker, 1));
}

export interface TfjsOptions {
  /** The library with the plugin of the backend loaded. */
  readonly tf: Tfjs;
  readonly backend: 'cpu' | 'wasm' | 'webgl' | 'webgpu';
  readonly version: string;
  /** Of wasm. Default 1. */
  readonly threads?: number | undefined;
}

/** TensorFlow.js on one of its backends. Throws where that does not start. */
export async function tfjs({ tf, backend, version, threads = 1 }: TfjsOptions): Promise<Contender> {
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs: backend ${backend} did not start`);
  const onGpu = backend === 'webgl' || backend === 'webgpu';
  const enter = (task: Task): Task =>
    onBackend(tf, backend, onGpu ? { ...task, finish: () => finish(tf, marker) } : task);
  const marker = tf.tensor(Float32Array.of(0), [1]);
  return {
    name: `tfjs-${backend}`,
    version,
    threads,
    async prepare(benchCase) {
      const { work } = benchCase;
      if (work.kind === 'inference') return { unsupported: NO_ZOO };
      await tf.setBackend(backend);
      if (work.kind !== 'training') return enter(kernelTask(tf, work, benchCase.inputs));
      if (backend === 'wasm') return { unsupported: 'it lacks the kernels of gradients' };
      if (work.network !== lenet5) {
        return { unsupported: 'it is not written for it: a step would take minutes' };
      }
      return enter(trainingTask(tf, benchCase, work.batch));
    },
  };
}
