// Threefry-2x32, 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based
// generator of pure 32-bit additions, rotations and exclusive ors. The op `randomBits` is defined by it, so every backend
// draws the same numbers for the same key.

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

/** Encrypts the counter under the key; words are unsigned 32-bit integers. */
export function threefry2x32(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
): [number, number] {
  const keys = [key0 | 0, key1 | 0, key0 ^ key1 ^ PARITY];
  let x = (counter0 + keys[0]!) | 0;
  let y = (counter1 + keys[1]!) | 0;
  for (let round = 0; round < 20; round++) {
    const turn = ROTATIONS[round & 7]!;
    x = (x + y) | 0;
    y = ((y << turn) | (y >>> (32 - turn))) ^ x;
    if ((round & 3) === 3) {
      const group = (round >> 2) + 1;
      x = (x + keys[group % 3]!) | 0;
      y = (y + keys[(group + 1) % 3]! + group) | 0;
    }
  }
  return [x >>> 0, y >>> 0];
}
