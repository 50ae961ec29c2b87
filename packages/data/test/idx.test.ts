import { DataError } from '@convoke/core';
import { describe, expect, it } from 'vitest';

import { idxDataset, parseIdx } from '../src/index.ts';
import { idxBytes, inputOf } from './samples.ts';

describe('parseIdx', () => {
  it('gives shape and bytes', () => {
    expect(parseIdx(idxBytes([2, 1, 3], [1, 2, 3, 4, 5, 6]))).toEqual({
      shape: [2, 1, 3],
      data: Uint8Array.of(1, 2, 3, 4, 5, 6),
    });
  });

  it.each([
    [0x09, [0xff, 0x01], Int8Array.of(-1, 1)],
    [0x0b, [0xff, 0xfe, 0x01, 0x02], Int16Array.of(-2, 258)],
    [0x0c, [0xff, 0xff, 0xff, 0xfd, 0, 0, 1, 0], Int32Array.of(-3, 256)],
    [0x0d, [0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0], Float32Array.of(1, -2.5)],
    [0x0e, [0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 0, 0, 0, 0, 0], Float64Array.of(1, -2.5)],
  ])('reads elements of type %i, big-endian', (type, data, values) => {
    expect(parseIdx(idxBytes([2], data, type)).data).toEqual(values);
  });

  it('is cut off wherever it ends early', () => {
    const whole = idxBytes([2, 3], [1, 2, 3, 4, 5, 6]);
    for (let length = 4; length < whole.length; length++) {
      expect(() => parseIdx(whole.subarray(0, length), 'x-ubyte')).toThrow(/^x-ubyte is cut off/);
    }
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /no IDX file: it begins with the bytes \(none\)/],
    ['a picture', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1, 2), /no IDX file.* 89 50 4e 47/],
    ['an unknown type', idxBytes([1], [0], 7), /no IDX file/],
    ['no axes', idxBytes([], [1]), /no IDX file/],
    ['bytes after the end', idxBytes([2], [1, 2, 3]), /bytes left over.*takes 10 bytes, got 11/],
    [
      'lengths beyond any memory',
      idxBytes([0xffffffff, 0xffffffff, 0xffffffff], [1]),
      /cut off.*\[4294967295, 4294967295, 4294967295\]/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseIdx(bytes)).toThrow(DataError);
    expect(() => parseIdx(bytes)).toThrow(message);
  });
});

describe('idxDataset', () => {
  const images = { ...parseIdx(idxBytes([2, 1, 2], [0, 255, 51, 102])), file: 'images' };
  const labels = { ...parseIdx(idxBytes([2], [3, 9])), file: 'labels' };

  it('has samples [1, H, W] in [0, 1] and 10 classes', () => {
    const dataset = idxDataset(images, labels);
    expect([dataset.size, dataset.sampleShape, dataset.numClasses]).toEqual([2, [1, 1, 2], 10]);
    expect(inputOf(dataset, 1)).toEqual(Float32Array.of(0.2, 0.4));
    expect([...dataset.labels]).toEqual([3, 9]);
  });

  it('tells when images and labels are swapped', () => {
    expect(() => idxDataset({ ...labels, file: 'a' }, { ...images, file: 'b' })).toThrow(
      /swapped: a holds shape \[2\], b holds shape \[2, 1, 2\]/,
    );
  });

  it('tells when the counts differ', () => {
    const three = { ...parseIdx(idxBytes([3], [1, 2, 3])), file: 'labels' };
    expect(() => idxDataset(images, three)).toThrow(/images holds 2 images, labels 3 labels/);
  });

  it('names the file and the sample of a label out of range', () => {
    const wrong = { ...parseIdx(idxBytes([2], [3, 10])), file: 'labels' };
    expect(() => idxDataset(images, wrong)).toThrow(/labels: sample 1 has label 10.* 0 to 9/);
  });

  it('refuses other arrays', () => {
    const flat = { ...parseIdx(idxBytes([2, 2], [1, 2, 3, 4])), file: 'flat' };
    expect(() => idxDataset(flat, labels)).toThrow(/flat holds shape \[2, 2\]; expected images/);
    expect(() => idxDataset(images, flat)).toThrow(/flat holds shape \[2, 2\]; expected labels/);
    const floats = { shape: [2, 1, 2], data: new Float32Array(4), file: 'floats' };
    expect(() => idxDataset(floats, labels)).toThrow(/expected images as bytes/);
  });
});
