// SHA-256 of bytes that come in pieces (FIPS 180-4). Node has it; the Web's `crypto.subtle` hashes only what is in memory as a
// whole, so browsers use the one written here.

import { builtin } from './platform.ts';

/** A hash in the making. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** 64 hex digits. The hasher is used up. */
  digest(): string;
}

/** The first 32 bits of the fractional parts of the `power`th roots of the first `count` primes. */
function rootsOfPrimes(count: number, root: (prime: number) => number): Int32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  return Int32Array.from(primes, (prime) => (root(prime) % 1) * 2 ** 32);
}

const START = /* @__PURE__ */ rootsOfPrimes(8, Math.sqrt);
const ROUND = /* @__PURE__ */ rootsOfPrimes(64, Math.cbrt);

const BLOCK = 64;

/** The portable hasher. */
export class Sha256 implements Hasher {
  readonly #state = START.slice();
  readonly #schedule = new Int32Array(64);
  /** What does not fill a block yet. */
  readonly #rest = new Uint8Array(BLOCK);
  #restLength = 0;
  #length = 0;

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    let at = 0;
    if (this.#restLength > 0) {
      at = Math.min(BLOCK - this.#restLength, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#restLength);
      this.#restLength += at;
      if (this.#restLength < BLOCK) return;
      this.#compress(this.#rest, 0);
    }
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.#compress(bytes, at);
    this.#rest.set(bytes.subarray(at));
    this.#restLength = bytes.length - at;
  }

  digest(): string {
    const padding = new Uint8Array(this.#restLength < 56 ? BLOCK : 2 * BLOCK);
    padding.set(this.#rest.subarray(0, this.#restLength));
    padding[this.#restLength] = 0x80;
    const view = new DataView(padding.buffer);
    view.setBigUint64(padding.length - 8, BigInt(this.#length) * 8n);
    for (let at = 0; at < padding.length; at += BLOCK) this.#compress(padding, at);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #compress(bytes: Uint8Array, at: number): void {
    const w = this.#schedule;
    const state = this.#state;
    for (let i = 0, j = at; i < 16; i++, j += 4) {
      w[i] = (bytes[j]! << 24) | (bytes[j + 1]! << 16) | (bytes[j + 2]! << 8) | bytes[j + 3]!;
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
    }
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i]! + w[i]!) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
    state[4]! += e;
    state[5]! += f;
    state[6]! += g;
    state[7]! += h;
  }
}

/** Node's hasher in Node, else the portable one. */
export function createSha256(): Hasher {
  const crypto = builtin('node:crypto');
  if (!crypto) return new Sha256();
  const hash = crypto.createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') };
}

/** The hash of a text, for names. */
export function sha256OfText(text: string): string {
  const hasher = new Sha256();
  hasher.update(new TextEncoder().encode(text));
  return hasher.digest();
}
