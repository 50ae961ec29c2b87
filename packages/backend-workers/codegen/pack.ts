// Packs the compiled module: answers the questions of src/unpack.ts from its bytes, and codes the answers arithmetically. A number
// from 0 to 1 is found whose first digits say all of them: each answer leaves of the present range the part that is as large as
// the answer was likely.

import { ask } from '../src/unpack.ts';

const LEAST_RANGE = 2 ** 24;
const TOP = 2 ** 32;

export function pack(module: Uint8Array): Buffer {
  const packed = [module.length >>> 24, module.length >>> 16, module.length >>> 8, module.length];
  // The range: `size` from `low`, in units of the last of four bytes that are still to be written.
  let low = 0;
  let size = TOP;
  const writeByte = (): void => {
    packed.push(Math.floor(low / LEAST_RANGE));
    low = (low % LEAST_RANGE) * 256;
  };
  const carry = (): void => {
    low -= TOP;
    let last = packed.length - 1;
    while (packed[last] === 255) packed[last--] = 0;
    packed[last]!++;
  };
  ask(module.length, (likely, at, mask, value) => {
    const yes = (module[at]! & mask) === value;
    const part = Math.floor(size * likely);
    if (yes) {
      size = part;
    } else {
      size -= part;
      low += part;
      if (low >= TOP) carry();
    }
    for (; size < LEAST_RANGE; size *= 256) writeByte();
    return yes;
  });
  for (let i = 0; i < 4; i++) writeByte();
  return Buffer.from(packed);
}
