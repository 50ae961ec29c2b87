// What a file of golden/zoo holds of one network, as far as it is read here.

interface GoldenInput {
  readonly name: string;
  readonly shape: readonly number[];
}

/** All values of an output in float64, and how far PyTorch's float32 is from them. */
export interface GoldenOutput {
  readonly f64_b64: string;
  readonly torch_f32_rel_rms_err: number;
}

/** The output of a module: some of its values, and what all of them come to. */
export interface GoldenCheckpoint {
  readonly module: string;
  readonly shape: readonly number[];
  readonly mean?: number;
  /** Of the population. */
  readonly std?: number;
  readonly absmax: number;
  readonly idx: readonly number[];
  readonly at_idx: readonly number[];
  /** Absent: as large, relatively, as that of the network's output. */
  readonly torch_f32_max_abs_err?: number;
}

/** At evaluation. */
export interface GoldenNetworkCase {
  readonly input: GoldenInput;
  readonly output: GoldenOutput;
  readonly checkpoints: readonly GoldenCheckpoint[];
}

/** In training without dropout, batch normalisation with its running statistics or with the batch's. */
export interface GoldenAuxiliary {
  readonly input: GoldenInput;
  readonly modes: Readonly<Record<'bn_eval' | 'bn_train', Readonly<Record<string, GoldenOutput>>>>;
}

/** What is kept of a gradient or a running statistic. */
export interface GoldenDigest {
  readonly name: string;
  readonly l2: number;
  readonly sum: number;
  readonly first4: readonly number[];
  readonly absmax: number;
  readonly torch_f32_max_abs_err: number;
  readonly torch_f32_l2_rel_err: number;
}

interface GoldenBackward {
  readonly input: GoldenInput;
  readonly target: readonly number[];
  readonly grads: readonly GoldenDigest[];
}

/** One backward pass at evaluation. */
export interface GoldenFrozen extends GoldenBackward {
  readonly loss: number;
  readonly torch_f32_loss: number;
}

/** Four steps of SGD without dropout; gradients and running statistics of the first. */
export interface GoldenTraining extends GoldenBackward {
  readonly lr: number;
  readonly losses: readonly number[];
  readonly torch_f32_losses: readonly number[];
  readonly running: readonly GoldenDigest[];
}

/** What a comparison is made of. */
export type GoldenPart = GoldenNetworkCase | GoldenAuxiliary | GoldenFrozen | GoldenTraining;

export interface GoldenNetwork {
  readonly arch: string;
  readonly gain: number;
  readonly params: number;
  readonly params_effective?: number | null;
  readonly macs: number;
  readonly state_dict: readonly (readonly [string, readonly number[]])[];
  readonly parameters: readonly string[];
  readonly cases: readonly GoldenNetworkCase[];
  readonly aux?: GoldenAuxiliary | null;
  readonly frozen_bn?: GoldenFrozen | null;
  readonly train?: GoldenTraining | null;
}
