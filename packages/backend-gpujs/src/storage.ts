// A value's numbers on the device, which handles may share (a reshape does). Whole numbers are held as floats, exact below
// 2^24; uploaded int32 beyond that are held exactly besides, as pairs of 16 bits, which random keys need.

import type { OpAttributes } from '@convoke/backend-api';

import type { Buffer, Device } from './device.ts';

export class Storage {
  readonly flat: Buffer;
  /** [low, high] of every element as unsigned 16 bits; null where floats hold all. */
  limbs: Buffer | null = null;
  /** Of indices by maxPool2d: the windows that they came from, which bounds what its gradient looks at. */
  windows: OpAttributes['maxPool2d'] | null = null;
  holders = 0;
  /** What `memory()` counts for it. */
  bytes = 0;

  constructor(flat: Buffer) {
    this.flat = flat;
  }

  release(device: Device): void {
    device.release(this.flat);
    if (this.limbs) device.release(this.limbs);
  }
}
