// A weight file that has been opened: what is in it is known, the tensors are read when asked for.

import { WeightsError } from './errors.ts';
import {
  toHostTensor,
  type HostTensor,
  type StoredData,
  type StoredDtype,
  type StoredTensor,
} from './tensors.ts';

export type WeightsFormat = 'safetensors' | 'pytorch' | 'npy' | 'npz' | 'tfjs' | 'keras';

/** How kernels are laid out: PyTorch's [O, I, H, W] and [out, in], or Keras' [H, W, I, O] and [in, out]. */
export type WeightsLayout = 'pytorch' | 'keras';

export interface TensorEntry {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
}

export interface SkippedEntry {
  readonly name: string;
  /** Why it is not among the tensors. */
  readonly reason: string;
}

/** An entry with the way to its data, in C order. */
export interface LoadableEntry extends TensorEntry {
  load(): Promise<StoredData>;
}

export interface WeightsFileInit {
  readonly format: WeightsFormat;
  readonly file: string;
  readonly layout: WeightsLayout;
  readonly entries: ReadonlyMap<string, LoadableEntry>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly skipped?: readonly SkippedEntry[];
  readonly prefetch?: (() => Promise<void>) | undefined;
  readonly close: () => Promise<void>;
}

export class WeightsFile {
  readonly format: WeightsFormat;
  /** What errors call it. */
  readonly file: string;
  readonly layout: WeightsLayout;
  /** In the file's order. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** The file's own notes; empty where it has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What the file holds besides: foreign objects, tensors of other types, optimiser state. */
  readonly skipped: readonly SkippedEntry[];
  readonly #init: WeightsFileInit;

  constructor(init: WeightsFileInit) {
    this.format = init.format;
    this.file = init.file;
    this.layout = init.layout;
    this.entries = init.entries;
    this.metadata = init.metadata ?? {};
    this.skipped = init.skipped ?? [];
    this.#init = init;
  }

  /**
   * One tensor with the type it is stored in: halves as 16 bits, 64-bit integers as bigints. The data are the caller's own.
   * Throws a WeightsError: `names` where there is none of that name, `read`, `format`.
   */
  async readStored(name: string): Promise<StoredTensor> {
    const entry = this.#init.entries.get(name);
    if (!entry) {
      throw new WeightsError(
        'names',
        `${this.file}: no tensor '${name}'; there are ${listed([...this.entries.keys()])}`,
      );
    }
    return { dtype: entry.dtype, shape: entry.shape, data: await entry.load() };
  }

  /** One tensor as Convoke computes with it; see `toHostTensor`. Throws as `readStored`, and `range`. */
  async read(name: string): Promise<HostTensor> {
    return toHostTensor(await this.readStored(name), `${this.file}: tensor '${name}'`);
  }

  /** All tensors, one after the other, in the file's order. */
  async readAll(): Promise<Map<string, HostTensor>> {
    await this.#init.prefetch?.();
    const tensors = new Map<string, HostTensor>();
    for (const name of this.entries.keys()) tensors.set(name, await this.read(name));
    return tensors;
  }

  /** `readAll` with the types of the file. */
  async readAllStored(): Promise<Map<string, StoredTensor>> {
    await this.#init.prefetch?.();
    const tensors = new Map<string, StoredTensor>();
    for (const name of this.entries.keys()) tensors.set(name, await this.readStored(name));
    return tensors;
  }

  /** Lets go of the file. What has been read stays. */
  async close(): Promise<void> {
    await this.#init.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Names for a message, not more than a reader takes in. */
export function listed(names: readonly string[], most = 8): string {
  if (names.length === 0) return 'none';
  const shown = names.slice(0, most).map((name) => `'${name}'`);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
