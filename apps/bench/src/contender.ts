// What is measured, and who competes. A case is plain data; a contender makes of it a task in its own layout and types,
// outside the clock.

import type { Network, Shapes } from './networks/network.ts';

/** One computation, with the inputs as every contender gets them: float32, NCHW and OIHW. */
export type KernelCase =
  | { readonly kind: 'gemm'; readonly size: number }
  | {
      readonly kind: 'conv';
      readonly channels: number;
      readonly filters: number;
      readonly kernelSize: number;
      readonly stride: number;
      readonly padding: number;
      readonly size: number;
    }
  | {
      readonly kind: 'depthwise';
      readonly channels: number;
      readonly kernelSize: number;
      readonly size: number;
    }
  /** MobileNetV2's block on one image: 1x1 to `expanded` channels, 3x3 depthwise, 1x1 back, with biases; ReLU6 after two. */
  | {
      readonly kind: 'block';
      readonly channels: number;
      readonly expanded: number;
      readonly size: number;
    }
  | { readonly kind: 'elementwise'; readonly shape: readonly number[] }
  | { readonly kind: 'softmax'; readonly rows: number; readonly columns: number }
  | { readonly kind: 'batchnorm'; readonly shape: readonly [number, number, number, number] }
  /** `ops` single ops in a row, negation and absolute value by turns: what it costs to have an op done. */
  | { readonly kind: 'chain'; readonly ops: number; readonly elements: number };

/** A step: the mean cross-entropy of one batch, its gradients, and an update by plain gradient descent. */
export interface TrainingCase {
  readonly kind: 'training';
  readonly network: Network;
  readonly batch: number;
}

/** One image through a network of the zoo, in evaluation mode. */
export interface InferenceCase {
  readonly kind: 'inference';
  readonly network: string;
  /** Of the image, [1, C, H, W]. */
  readonly shape: readonly number[];
}

export interface Case {
  readonly suite: string;
  readonly name: string;
  readonly work: KernelCase | TrainingCase | InferenceCase;
  /**
   * Float32 inputs by name, of the shapes that `shapesOf` tells; of inference, `image` and what the network's state_dict names.
   */
  readonly inputs: ReadonlyMap<string, Float32Array>;
  /** The result in float64, for the check before the clock starts: of training, the gradients of the first step. */
  readonly reference: Float64Array;
  /** Floating-point operations of one run, where the field counts them. */
  readonly flops: number | null;
}

/** Shapes of a case's inputs. */
export function shapesOf(work: KernelCase | TrainingCase): Shapes {
  switch (work.kind) {
    case 'gemm':
      return { a: [work.size, work.size], b: [work.size, work.size] };
    case 'conv':
      return {
        x: [1, work.channels, work.size, work.size],
        weight: [work.filters, work.channels, work.kernelSize, work.kernelSize],
      };
    case 'depthwise':
      return {
        x: [1, work.channels, work.size, work.size],
        weight: [work.channels, 1, work.kernelSize, work.kernelSize],
      };
    case 'block': {
      const { channels, expanded, size } = work;
      return {
        x: [1, channels, size, size],
        expand: [expanded, channels, 1, 1],
        depthwise: [expanded, 1, 3, 3],
        project: [channels, expanded, 1, 1],
        expandBias: [expanded],
        depthwiseBias: [expanded],
        projectBias: [channels],
      };
    }
    case 'elementwise':
      return { x: work.shape };
    case 'softmax':
      return { x: [work.rows, work.columns] };
    case 'chain':
      return { x: [work.elements] };
    case 'batchnorm': {
      const channels = [work.shape[1]];
      return {
        x: work.shape,
        weight: channels,
        bias: channels,
        mean: channels,
        variance: channels,
      };
    }
    case 'training': {
      const { parameters, channels, imageSize } = work.network;
      return {
        ...parameters,
        images: [work.batch, channels, imageSize, imageSize],
        labels: [work.batch],
      };
    }
    default:
      return work satisfies never;
  }
}

export interface Task {
  /** One run, finished when it returns or resolves, unless there is `finish`. */
  run(): void | Promise<void>;
  /** Resolves when all runs so far are done, where `run` only enqueues. */
  finish?(): Promise<void>;
  /** Called before a sample, outside the clock. */
  begin?(): void | Promise<void>;
  /** Milliseconds of so many runs by a clock of its own, where a call from here is no part of what is measured. */
  time?(runs: number): Promise<number>;
  /** The result of a first run, in the order of the reference. */
  result(): Promise<Float32Array>;
  dispose?(): void | Promise<void>;
}

export interface Contender {
  /** As a backend or a peer is named. */
  readonly name: string;
  readonly version: string;
  /** Threads that compute. */
  readonly threads: number;
  /** Makes a task of the case, or tells why this contender has none. */
  prepare(benchCase: Case): Promise<Task | { readonly unsupported: string }>;
  /** Ends what it started. */
  close?(): Promise<void>;
}

/** Why peers do not compete in suite `zoo`. */
export const NO_ZOO = 'the networks of the zoo are not written for it';
