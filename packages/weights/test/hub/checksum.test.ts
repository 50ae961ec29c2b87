import { describe, expect, it } from 'vitest';

import { checksumError, expectedHash, hashInName, integrityOf } from '../../src/hub/checksum.ts';

const FULL = 'f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec';

describe('hashInName', () => {
  it.each([
    ['resnet18-f37072fd.pth', 'f37072fd'],
    ['bn_inception-52deb4733.pth', '52deb4733'],
    ['efficientnet_b0_rwightman-3dd342df.pth', '3dd342df'],
    [`model-${FULL}.safetensors`, FULL],
  ])('finds the digits of %s', (name, digits) => {
    expect(hashInName(name)).toBe(digits);
  });

  it.each([
    'model.safetensors',
    'resnet18.pth',
    'net-20240131.pth',
    'net-abc1234.pth',
    'net-F37072FD.pth',
  ])('finds none in %s', (name) => {
    expect(hashInName(name)).toBeUndefined();
  });

  it('takes eight digits that are no date', () => {
    expect(hashInName('net-20241331.pth')).toBe('20241331');
  });
});

describe('expectedHash', () => {
  it('puts the option before the name', () => {
    const hash = expectedHash('a-f37072fd.pth', { sha256: FULL.toUpperCase() });
    expect(hash).toEqual({ digits: FULL, from: 'option' });
    expect(integrityOf(hash)).toBe('sha256');
  });

  it('leaves the name alone where told to', () => {
    expect(expectedHash('a-f37072fd.pth', { hashFromName: false })).toBeUndefined();
    expect(integrityOf(expectedHash('a-f37072fd.pth', {}))).toBe('prefix');
  });

  it.each(['f37072f', 'xyz', `${FULL}0`, ''])("refuses '%s' as a hash", (sha256) => {
    expect(() => expectedHash('a', { sha256 })).toThrow(/option sha256.*expected 64 hex digits/);
  });
});

describe('checksumError', () => {
  it('names both hashes, who said so, and what to do', () => {
    const wrong = FULL.replace('f', '0');
    expect(checksumError('a.pth', FULL, { digits: 'f37072fd', from: 'name' })).toBeUndefined();
    const error = checksumError('a.pth', wrong, { digits: 'f37072fd', from: 'name' });
    expect(error).toMatchObject({ name: 'WeightsError', code: 'checksum' });
    expect(error!.message).toMatch(/a\.pth.*037072fd.*f37072fd….*name.*hashFromName/);
    expect(checksumError('a', wrong, { digits: FULL, from: 'record' })!.message).toMatch(
      /clearCache/,
    );
  });
});
