// An HDF5 file as groups, attributes and data sets: as much of the format as weight files use. Written for files that may be
// damaged: every address, length and depth is checked.

import type { ByteSource } from '../sources/source.ts';
import type { StoredTensor } from '../tensors.ts';
import { readAttributes, type AttributeValue } from './attributes.ts';
import { describeDataset, isDataset, readDataset, type Dataset } from './dataset.ts';
import { readLinks } from './groups.ts';
import { readMessages, type Message } from './objects.ts';
import { Hdf5Storage } from './storage.ts';

export type { AttributeValue } from './attributes.ts';

/** A group or a data set. */
export class Hdf5Object {
  /** From the root, parts joined by `/`; the root's is empty. */
  readonly path: string;
  readonly #storage: Hdf5Storage;
  readonly #address: number;
  readonly #messages: readonly Message[];

  constructor(storage: Hdf5Storage, path: string, address: number, messages: readonly Message[]) {
    this.path = path;
    this.#storage = storage;
    this.#address = address;
    this.#messages = messages;
  }

  get isDataset(): boolean {
    return isDataset(this.#messages);
  }

  /** Where it is in the file: the same for one object under two names. */
  get address(): number {
    return this.#address;
  }

  /** Texts and numbers by name. What is neither is left out. */
  attributes(): Promise<Map<string, AttributeValue>> {
    return readAttributes(this.#storage, this.#messages);
  }

  /** The members of a group, in the file's order; none for a data set. */
  async children(): Promise<Map<string, Hdf5Object>> {
    const members = new Map<string, Hdf5Object>();
    for (const [name, address] of await readLinks(this.#storage, this.#messages)) {
      const path = this.path === '' ? name : `${this.path}/${name}`;
      members.set(name, await openObject(this.#storage, path, address));
    }
    return members;
  }

  /** Throws a WeightsError: `format`, or `refused` where it holds something else than numbers. */
  describe(): Dataset {
    return describeDataset(this.#storage, this.#messages, `data set '${this.path}'`);
  }

  /** All elements, in C order. Throws as `describe`, and `read`. */
  async read(): Promise<StoredTensor> {
    const dataset = this.describe();
    const { dtype, shape } = dataset;
    return {
      dtype,
      shape,
      data: await readDataset(this.#storage, dataset, `data set '${this.path}'`),
    };
  }
}

async function openObject(
  storage: Hdf5Storage,
  path: string,
  address: number,
): Promise<Hdf5Object> {
  return new Hdf5Object(storage, path, address, await readMessages(storage, address));
}

/** The root group. Throws a WeightsError (`format`) where the source is no HDF5 file. */
export async function openHdf5Root(source: ByteSource): Promise<Hdf5Object> {
  const storage = new Hdf5Storage(source);
  return openObject(storage, '', await storage.open());
}
