// Networks against PyTorch's results: weights that follow from names (a formula), logits, and outputs of stages.

import { createMeta, currentBackend, noGrad, scope, tensor, type Backend } from '@convoke/core';
import { captureOutputs, type Module } from '@convoke/nn';

import { createModel } from './create.ts';

/** In [-1, 1), from a seed and a position; all integers are of 32 bits and wrap. */
function noise(seed: number, i: number): number {
  let x = (Math.imul(i, 0x9e3779b9) + seed) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
}

/** The values of a parameter, buffer or input, by its name and shape. */
export function goldenValues(name: string, shape: readonly number[], gain: number): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const leaf = name.slice(name.lastIndexOf('.') + 1);
  const bound = gain * Math.sqrt(3 / (size / (shape[0] ?? 1)));
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const value = (u: number): number => {
    if (leaf === 'running_var') return 1 + 0.2 * Math.abs(u);
    if (leaf === 'centers') return u < 0 ? -1 : 1;
    if (leaf === 'layer_scale') return 0.5 + 0.1 * u;
    if (leaf === 'input') return 1.5 * u;
    if (leaf !== 'weight') return 0.1 * u;
    return shape.length >= 2 ? u * bound : 1 + 0.1 * u;
  };
  return Float32Array.from({ length: size }, (_, i) => value(noise(seed, i)));
}

/**
 * Gives a model made on `meta` the weights that follow from its names, on `backend`, one after another: initial values would be
 * held beside them.
 */
export function fillWithGolden(model: Module, gain: number, backend: Backend): void {
  for (const [name, slot] of model.stateDict()) {
    const { spec } = slot;
    const data = spec.dtype === 'int32' ? new Int32Array(1) : goldenValues(name, spec.shape, gain);
    slot.moveTo(backend, backend.upload(spec, data));
  }
}

export interface GoldenCheckpoint {
  readonly module: string;
  readonly shape: readonly number[];
  readonly absmax: number;
  readonly idx: readonly number[];
  readonly at_idx: readonly number[];
}

export interface GoldenNetworkCase {
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  readonly output: { readonly f64_b64: string; readonly torch_f32_rel_rms_err: number };
  readonly checkpoints: readonly GoldenCheckpoint[];
}

/** What a file of golden/zoo holds; more is in it than is read here. */
export interface GoldenNetwork {
  readonly arch: string;
  readonly gain: number;
  readonly params: number;
  readonly params_effective?: number | null;
  readonly macs: number;
  readonly state_dict: readonly (readonly [string, readonly number[]])[];
  readonly parameters: readonly string[];
  readonly cases: readonly GoldenNetworkCase[];
}

export interface NetworkError {
  /** RMS of the difference over RMS of the reference. */
  readonly error: number;
  readonly tolerance: number;
  /** The worst stage: the largest difference at its samples, as a share of its largest element. */
  readonly checkpoint: { readonly module: string; readonly error: number } | null;
}

function doubles(base64: string): Float64Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

/** Infinite where the lengths differ. */
function relativeRms(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (actual.length !== reference.length) return Infinity;
  let [difference, whole] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    difference += (actual[i]! - reference[i]!) ** 2;
    whole += reference[i]! ** 2;
  }
  return Math.sqrt(difference / whole);
}

/**
 * Runs a case on a model that `fillWithGolden` has filled, in evaluation mode. `share` is what rounding may add: 1e-6 in strict
 * float32, 5e-6 where Winograd F4 may run, 5e-5 on a GPU.
 */
export async function runGoldenCase(
  model: Module,
  golden: GoldenNetworkCase,
  share: number,
  backend: Backend = currentBackend(),
): Promise<NetworkError> {
  const { input, output, checkpoints } = golden;
  const paths = checkpoints.map(({ module }) => module);
  const pending = scope(() =>
    noGrad(() => {
      const x = tensor(goldenValues(input.name, input.shape, 1), { shape: input.shape, backend });
      const { output: y, taps } = captureOutputs(model, x, paths);
      const stages = checkpoints.map((checkpoint) => {
        const tap = taps.get(checkpoint.module)!;
        const stage = { checkpoint, shape: tap.shape, data: tap.data() };
        tap.dispose();
        return stage;
      });
      return { y: y.data(), stages };
    }),
  );
  let worst: NetworkError['checkpoint'] = null;
  for (const { checkpoint, shape, data } of pending.stages) {
    const values = await data;
    const { module, idx, at_idx: expected, absmax } = checkpoint;
    const same = shape.join() === checkpoint.shape.join();
    const error = same
      ? Math.max(...idx.map((at, i) => Math.abs(values[at]! - expected[i]!))) / absmax
      : Infinity;
    if (worst === null || !(error <= worst.error)) worst = { module, error };
  }
  const error = relativeRms(await pending.y, doubles(output.f64_b64));
  return { error, tolerance: 5 * output.torch_f32_rel_rms_err + share, checkpoint: worst };
}

/** A case as a runner of golden files hands it over: `attrs` tell the network, `network` its input and output. */
interface NamedCase {
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly network?: unknown;
}

type Runner = (
  backend: Backend,
  options: { precision: 'strict' | 'fast' },
) => Promise<{ tensors: { name: string; error: number; tolerance: number }[] }>;

/** How to run a case of a network, or null for one that is none. Errors are relative RMS. */
export function recognize({ attrs, network }: NamedCase): Runner | null {
  const { arch, gain } = attrs;
  if (typeof arch !== 'string' || typeof gain !== 'number' || network === undefined) return null;
  return async (backend, { precision }) => {
    const { epsilon } = backend.capabilities;
    const share = epsilon > 2 ** -24 ? 5e-5 : precision === 'fast' ? 5e-6 : 1e-6;
    const model = (await createModel(arch, { backend: createMeta() })).eval();
    try {
      fillWithGolden(model, gain, backend);
      const golden = network as GoldenNetworkCase;
      const { error, tolerance } = await runGoldenCase(model, golden, share, backend);
      return { tensors: [{ name: 'logits', error, tolerance }] };
    } finally {
      model.dispose();
    }
  };
}
