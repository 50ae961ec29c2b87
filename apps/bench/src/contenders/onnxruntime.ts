// ONNX Runtime as a contender, native (onnxruntime-node) and in WebAssembly (onnxruntime-web). Weights are constants of the
// model, so that it may lay them out as it likes.

import {
  NO_ZOO,
  shapesOf,
  type Case,
  type Contender,
  type KernelCase,
  type Task,
} from '../contender.ts';
import { onnxModel, OUTPUT, type OnnxInput, type OnnxNode } from '../onnx.ts';
import { isInstalled, load, versionOf } from '../peers.ts';

// The part of its API that is used here; the two packages share it.
interface Tensor {
  readonly data: Float32Array;
}
type Provider = 'cpu' | 'wasm';
interface Session {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}
interface Runtime {
  readonly env: { readonly wasm: { numThreads?: number } };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<Session>;
  };
}

type Node = Pick<OnnxNode, 'op' | 'attributes'> & { readonly inputs: readonly string[] };

function convolution(kernelSize: number, stride: number, padding: number, group: number): Node {
  const attributes = {
    kernel_shape: [kernelSize, kernelSize],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    group,
  };
  return { op: 'Conv', attributes, inputs: ['x', 'weight'] };
}

/** Cases that are one node of a graph. */
type NodeCase = Exclude<KernelCase, { kind: 'block' | 'chain' }>;

function nodeOf(work: NodeCase): Node {
  switch (work.kind) {
    case 'gemm':
      return { op: 'MatMul', inputs: ['a', 'b'] };
    case 'conv':
      return convolution(work.kernelSize, work.stride, work.padding, 1);
    case 'depthwise':
      return convolution(work.kernelSize, 1, work.kernelSize >> 1, work.channels);
    case 'elementwise':
      return { op: 'Gelu', attributes: { approximate: 'tanh' }, inputs: ['x'] };
    case 'softmax':
      return { op: 'Softmax', attributes: { axis: 1 }, inputs: ['x'] };
    case 'batchnorm':
      return {
        op: 'BatchNormalization',
        attributes: { epsilon: { float: 1e-5 } },
        inputs: ['x', 'weight', 'bias', 'mean', 'variance'],
      };
    default:
      return work satisfies never;
  }
}

/** The shape of the result. */
function outputShape(work: NodeCase): readonly number[] {
  if (work.kind === 'gemm') return [work.size, work.size];
  if (work.kind === 'conv') {
    const size = Math.floor((work.size + 2 * work.padding - work.kernelSize) / work.stride) + 1;
    return [1, work.filters, size, size];
  }
  return shapesOf(work)['x']!;
}

/** The case as a model: its first input comes with every run, the others are constants. */
function modelOf(work: NodeCase, values: Case['inputs']): Uint8Array {
  const shapes = shapesOf(work);
  const { op, attributes, inputs } = nodeOf(work);
  const [first] = inputs;
  const constant = (name: string): OnnxInput => ({
    name,
    shape: shapes[name]!,
    values: values.get(name)!,
  });
  const onnxInputs = [{ name: first!, shape: shapes[first!]! }, ...inputs.slice(1).map(constant)];
  return onnxModel({ op, attributes: attributes ?? {}, inputs: onnxInputs }, outputShape(work));
}

async function kernelTask(
  runtime: Runtime,
  provider: Provider,
  threads: number,
  work: NodeCase,
  values: Case['inputs'],
): Promise<Task> {
  const session = await runtime.InferenceSession.create(modelOf(work, values), {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
  });
  const [first] = nodeOf(work).inputs;
  const x = new runtime.Tensor('float32', values.get(first!)!, shapesOf(work)[first!]!);
  const feeds = { [first!]: x };
  return {
    async run() {
      await session.run(feeds);
    },
    async result() {
      const outputs = await session.run(feeds);
      return Float32Array.from(outputs[OUTPUT]!.data);
    },
    dispose: () => session.release(),
  };
}

const NATIVE = 'onnxruntime-node';

function onnxruntime(packageName: string, provider: Provider, threads: number): Contender {
  // The packages share one registry, and each would be `cpu`: the first to be loaded is. It must be the native one.
  if (provider === 'wasm' && isInstalled(NATIVE)) load(NATIVE);
  const runtime = load<Runtime>(packageName);
  if (provider === 'wasm') runtime.env.wasm.numThreads = threads;
  return {
    name: packageName,
    version: versionOf(packageName),
    threads,
    async prepare({ work, inputs }) {
      if (work.kind === 'training') {
        return { unsupported: 'it runs networks, it cannot train them' };
      }
      if (work.kind === 'block') {
        return { unsupported: 'its models here are one op each' };
      }
      if (work.kind === 'chain') {
        return { unsupported: 'it runs whole graphs, it takes no ops one by one' };
      }
      if (work.kind === 'inference') return { unsupported: NO_ZOO };
      return kernelTask(runtime, provider, threads, work, inputs);
    },
  };
}

export function onnxruntimeNode(threads: number): Contender {
  return onnxruntime(NATIVE, 'cpu', threads);
}

/** One thread: in Node it has no others. */
export function onnxruntimeWeb(): Contender {
  return onnxruntime('onnxruntime-web', 'wasm', 1);
}
