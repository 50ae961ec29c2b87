import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { createSha256, Sha256, sha256OfText } from '../../src/hub/sha256.ts';
import { bytesOf, sha256 } from './server.ts';

const hex = (bytes: Uint8Array): string => {
  const hasher = new Sha256();
  hasher.update(bytes);
  return hasher.digest();
};

describe('Sha256', () => {
  it("gives FIPS 180-4's hash of 'abc' and of nothing", () => {
    expect(sha256OfText('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(sha256OfText('')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  it("gives node:crypto's hash for every length around the blocks", () => {
    for (let length = 0; length <= 260; length++) {
      const bytes = bytesOf(length, length + 1);
      expect(hex(bytes)).toBe(sha256(bytes));
    }
  });

  it('does not depend on how the bytes are cut', () => {
    const bytes = bytesOf(100_003);
    for (const step of [1, 7, 63, 64, 65, 4096, 99_999]) {
      const hasher = new Sha256();
      for (let at = 0; at < bytes.length; at += step) hasher.update(bytes.subarray(at, at + step));
      expect(hasher.digest()).toBe(sha256(bytes));
    }
  });

  it('counts more bits than 32 hold', { timeout: 120_000 }, () => {
    // 2^29 + 1 bytes: the length in bits needs the upper word.
    const chunk = new Uint8Array(1 << 24);
    const [ours, theirs] = [new Sha256(), createHash('sha256')];
    for (let i = 0; i < 32; i++) {
      ours.update(chunk);
      theirs.update(chunk);
    }
    ours.update(Uint8Array.of(1));
    theirs.update(Uint8Array.of(1));
    expect(ours.digest()).toBe(theirs.digest('hex'));
  });

  it('is what Node has where there is Node', () => {
    const hasher = createSha256();
    hasher.update(bytesOf(1000));
    expect(hasher.digest()).toBe(sha256(bytesOf(1000)));
  });
});
