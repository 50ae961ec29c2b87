// A value's numbers on the device, which handles may share (a reshape does). They are held in one form or several: what an op
// needs and is not there is made of what is, and kept. Whole numbers are held as floats, exact below 2^24; uploaded int32 beyond
// that are held exactly besides, as pairs of 16 bits, which random keys need.

import type { OpAttributes, Shape } from '@convoke/backend-api';

import type { Buffer, Device } from './device.ts';

export class Storage {
  /** Elements in C order, one a texel; null until an op asks for them. */
  flat: Buffer | null;
  /** Texels of four channels; see images.ts. */
  image: { readonly buffer: Buffer; readonly shape: Shape } | null = null;
  /** Filters as texels, by how they are laid out. */
  readonly filters: Map<string, Buffer> = new Map();
  /** [low, high] of every element as unsigned 16 bits; null where floats hold all. */
  limbs: Buffer | null = null;
  /** Of indices by maxPool2d: the windows that they came from, which bounds what its gradient looks at. */
  windows: OpAttributes['maxPool2d'] | null = null;
  holders = 0;
  /** What `memory()` counts for it. */
  bytes = 0;

  constructor(flat: Buffer | null) {
    this.flat = flat;
  }

  /** Holds an image of this shape, and nothing else yet. */
  static ofImage(buffer: Buffer, shape: Shape): Storage {
    const storage = new Storage(null);
    storage.image = { buffer, shape };
    return storage;
  }

  release(device: Device): void {
    for (const buffer of [this.flat, this.image?.buffer, this.limbs, ...this.filters.values()]) {
      if (buffer) device.release(buffer);
    }
  }
}
