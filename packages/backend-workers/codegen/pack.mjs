// Packs the two builds into one compressed piece. They differ only where kernels multiply and add, so their functions are
// laid side by side: what is equal is then within reach of deflate's window and costs next to nothing.
// src/module.ts takes the piece apart.

import { deflateRawSync } from 'node:zlib';

const CODE_SECTION = 10;

/** A module cut in pieces: what stands before the first function's body, each body, what stands behind the last. */
function cut(bytes) {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  for (;;) {
    const section = bytes[at++];
    const size = number();
    if (section === CODE_SECTION) break;
    at += size;
  }
  const functions = number();
  const ends = [at];
  for (let i = 0; i < functions; i++) {
    const size = number();
    at += size;
    ends.push(at);
  }
  return [...ends, bytes.length].map((end, i, all) => bytes.subarray(all[i - 1] ?? 0, end));
}

/** Deflated: for each pair of pieces the two lengths (32 bits, little-endian), then the bytes of both. */
export function pack(first, second) {
  const [a, b] = [cut(first), cut(second)];
  const none = Buffer.alloc(0);
  const parts = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const pair = [a[i] ?? none, b[i] ?? none];
    const lengths = Buffer.alloc(8);
    pair.forEach((piece, which) => lengths.writeUInt32LE(piece.length, which * 4));
    return Buffer.concat([lengths, ...pair]);
  });
  return deflateRawSync(Buffer.concat(parts), { level: 9 });
}
