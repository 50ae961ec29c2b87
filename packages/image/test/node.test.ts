import { createServer } from 'node:http';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { compositeAlpha, grayscale, Image, ImageError, toRgb } from '../src/index.ts';
import { decode, encode } from '../src/node.ts';
import { bitmapOf } from './bitmaps.ts';
import { largestDifference, noise, scene } from './samples.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convoke-image-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const meanDifference = (a: Image, b: Image): number => {
  expect([a.width, a.height, a.channels]).toEqual([b.width, b.height, b.channels]);
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
};

describe('encode', () => {
  it.each([1, 3, 4] as const)('writes PNG of %i channels without loss', async (channels) => {
    const image = noise(31, 17, channels);
    const bytes = await encode(image, { format: 'png' });
    expect(await decode(bytes, { alpha: 'keep' })).toEqual(image);
  });

  it.each([1, 3, 4] as const)('writes PNG of 16 bits, %i channels', async (channels) => {
    const { data: low, ...size } = noise(9, 7, channels);
    const { data: high } = noise(9, 7, channels, 2);
    const data = Uint16Array.from(low, (value, i) => value + 256 * high[i]!);
    const image = new Image({ ...size, data });
    const bytes = await encode(image, { format: 'png' });
    const back = await decode(bytes, { depth: 16 });
    // 16 bits come without alpha.
    expect(back).toEqual(channels === 4 ? toRgb(image) : image);
    expect(await decode(bytes, { alpha: 'keep' })).toEqual(new Image({ ...size, data: high }));
  });

  it.each(['jpeg', 'webp'] as const)('writes %s close to the picture', async (format) => {
    for (const channels of [1, 3] as const) {
      const image = scene(64, 48, channels);
      const back = await decode(await encode(image, { format, quality: 95 }), { channels });
      expect(meanDifference(back, image)).toBeLessThan(2);
    }
  });

  it('at a lower quality is smaller', async () => {
    const [high, low] = await Promise.all(
      [95, 20].map((quality) => encode(scene(64, 48, 3), { format: 'jpeg', quality })),
    );
    expect(low!.length).toBeLessThan(high!.length / 2);
  });

  it.each<[string, Image, object, RegExp]>([
    ['another format', noise(2, 2, 3), { format: 'gif' }, /not 'gif'/],
    ['quality 0', noise(2, 2, 3), { format: 'jpeg', quality: 0 }, /1 to 100/],
    ['no options', noise(2, 2, 3), undefined!, /format: 'png', 'jpeg' or 'webp' .*, not undefined/],
    ['options that are null', noise(2, 2, 3), null!, /, not null/],
    ['a quality that is no number', noise(2, 2, 3), { format: 'jpeg', quality: '90' }, /1 to 100/],
    ['no picture', undefined!, { format: 'png' }, /takes an Image first/],
    ['bytes for a picture', new Uint8Array(9) as never, { format: 'png' }, /takes an Image first/],
    ['alpha in JPEG', noise(2, 2, 4), { format: 'jpeg' }, /compositeAlpha first/],
  ])('refuses %s', async (_, image, options, message) => {
    const failure = encode(image, options as { format: 'png' });
    await expect(failure).rejects.toThrow(ImageError);
    await expect(failure).rejects.toThrow(message);
  });

  it('refuses 16 bits in JPEG, and sizes that JPEG cannot hold', async () => {
    const deep = new Image({ width: 1, height: 1, channels: 1, data: new Uint16Array(1) });
    await expect(encode(deep, { format: 'jpeg' })).rejects.toThrow(/8 bits/);
    const long = new Image({ width: 70_000, height: 1, channels: 1 });
    await expect(encode(long, { format: 'jpeg' })).rejects.toMatchObject({ code: 'write' });
  });
});

describe('decode', () => {
  it('reads a path, a file URL, an address, bytes, an ArrayBuffer, a Blob and a File alike', async () => {
    const image = noise(6, 5, 3);
    const bytes = await encode(image, { format: 'png' });
    const path = join(folder, 'größe.png');
    await writeFile(path, bytes);
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/a.png' ? 200 : 404).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      for (const source of [
        path,
        pathToFileURL(path),
        pathToFileURL(path).href,
        new URL(`http://127.0.0.1:${port}/a.png`),
        `http://127.0.0.1:${port}/a.png`,
        `HTTP://127.0.0.1:${port}/a.png`,
        `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`,
        bytes,
        Buffer.from(bytes),
        bytes.buffer,
        new Blob([bytes]),
        new File([bytes], 'a.png'),
      ]) {
        expect(await decode(source)).toEqual(image);
      }
      const missing = new URL(`http://127.0.0.1:${port}/b.png`);
      await expect(decode(missing)).rejects.toThrow(/^b\.png: .*404/);
      await expect(decode(missing.href)).rejects.toThrow(/^b\.png: .*404/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('composites alpha over white or the background, or keeps it', async () => {
    const image = noise(8, 8, 4);
    const bytes = await encode(image, { format: 'png' });
    const background = [10, 20, 30] as const;
    expect(await decode(bytes)).toEqual(compositeAlpha(image));
    expect(await decode(bytes, { background })).toEqual(compositeAlpha(image, { background }));
    expect(await decode(bytes, { alpha: 'keep' })).toEqual(image);
  });

  it('gives grey as one channel unless asked for three, and colours as grey where asked', async () => {
    const grey = noise(8, 8, 1);
    const bytes = await encode(grey, { format: 'png' });
    expect(await decode(bytes)).toEqual(grey);
    expect(await decode(bytes, { channels: 3 })).toEqual(toRgb(grey));
    const colours = noise(8, 8, 3);
    const other = await encode(colours, { format: 'png' });
    expect(await decode(other, { channels: 1 })).toEqual(grayscale(colours));
  });

  it('tells more pixels than allowed from the header alone', async () => {
    const bytes = await encode(noise(50, 40, 3), { format: 'png' });
    await expect(decode(bytes, { maxPixels: 1999 })).rejects.toMatchObject({
      code: 'limit',
      message: expect.stringMatching(/50x40 has more than the 1999 pixels/),
    });
    expect((await decode(bytes, { maxPixels: 2000 })).width).toBe(50);
    // A header that promises 60,000 x 60,000 pixels; nothing follows it.
    const bomb = bytes.slice(0, 33);
    new DataView(bomb.buffer).setUint32(16, 60_000);
    new DataView(bomb.buffer).setUint32(20, 60_000);
    await expect(decode(bomb)).rejects.toMatchObject({ code: 'limit' });
  });

  it('names the file that is no picture, damaged or missing', async () => {
    const png = await encode(noise(50, 40, 3), { format: 'png' });
    const jpeg = await encode(scene(50, 40, 3), { format: 'jpeg' });
    const webp = await encode(scene(50, 40, 3), { format: 'webp' });
    const damaged = png.slice();
    damaged[200]! ^= 1;
    for (const [name, bytes, code] of [
      ['empty.png', new Uint8Array(), 'format'],
      ['text.png', new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'format'],
      ['cut.png', png.subarray(0, png.length / 2), 'format'],
      ['bit.png', damaged, 'format'],
      ['cut.jpg', jpeg.subarray(0, jpeg.length / 2), 'format'],
      ['head.jpg', jpeg.subarray(0, 20), 'format'],
      ['cut.webp', webp.subarray(0, webp.length / 2), 'format'],
    ] as const) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      const message = expect.stringContaining(`${path}: `);
      await expect(decode(path)).rejects.toMatchObject({ name: 'ImageError', code, message });
    }
    await expect(decode(join(folder, 'none.png'))).rejects.toMatchObject({ code: 'read' });
    await expect(decode('data:image/png;base64,AAAA')).rejects.toThrow(/^the picture: /);
    await expect(decode('file://elsewhere/a.png')).rejects.toMatchObject({ code: 'read' });
  });

  it.each([undefined, null, 7, {}, ['a.png']])('refuses the source %o', async (source) => {
    const failure = decode(source as unknown as string);
    await expect(failure).rejects.toMatchObject({ name: 'ImageError', code: 'argument' });
    await expect(failure).rejects.toThrow(/give a path, an address, bytes or a Blob/);
  });

  it.each([
    [null, /options as an object, not null/],
    ['grey', /options as an object, not grey/],
    [{ channels: 4 }, /channels is 1 or 3, not 4/],
    [{ channels: '3' }, /channels is 1 or 3, not '3'/],
    [{ alpha: 'remove' }, /alpha is 'composite' or 'keep', not 'remove'/],
    [{ alpha: true }, /alpha .*, not true/],
    [{ background: [1, 2] }, /background is three numbers of 0 to 255, not \[1, 2\]/],
    [{ background: [1, 2, 256] }, /background .*, not \[1, 2, 256\]/],
    [{ background: 'white' }, /background .*, not 'white'/],
    [{ maxPixels: 0 }, /maxPixels is a number above 0, not 0/],
    [{ maxPixels: '9000' }, /maxPixels .*, not '9000'/],
    [{ maxPixels: Number.NaN }, /maxPixels .*, not NaN/],
    [{ signal: {} }, /signal is an AbortSignal/],
    [{ depth: 12 }, /8 or 16, not 12/],
    [{ orient: 'no' }, /orient is true or false, not 'no'/],
  ])('refuses %o, also where the picture would not show it', async (options, message) => {
    const png = await encode(noise(5, 4, 3), { format: 'png' });
    const failure = decode(png, options as object);
    await expect(failure).rejects.toMatchObject({ name: 'ImageError', code: 'argument' });
    await expect(failure).rejects.toThrow(message);
  });

  it("rejects with the signal's reason", async () => {
    const signal = AbortSignal.abort(new Error('no longer wanted'));
    await expect(decode(new Uint8Array(9), { signal })).rejects.toThrow('no longer wanted');
  });
});

describe('without sharp', () => {
  it('JPEG says what to install, and BMP is read', async () => {
    const jpeg = await encode(scene(8, 8, 3), { format: 'jpeg' });
    vi.resetModules();
    vi.doMock('sharp', () => {
      throw new Error("Cannot find package 'sharp'");
    });
    try {
      const alone = await import('../src/node.ts');
      const error = { code: 'missing', message: expect.stringContaining('npm install sharp') };
      await expect(alone.decode(jpeg)).rejects.toMatchObject(error);
      await expect(alone.encode(noise(2, 2, 3), { format: 'png' })).rejects.toMatchObject(error);
      const image = noise(5, 4, 3);
      const { data } = await alone.decode(bitmapOf(image));
      expect(largestDifference(data, image.data)).toBe(0);
    } finally {
      vi.doUnmock('sharp');
    }
  });
});

it('leaves the bytes it is given as they are', async () => {
  const path = join(folder, 'same.png');
  await writeFile(path, await encode(noise(4, 4, 3), { format: 'png' }));
  const bytes = new Uint8Array(await readFile(path));
  const copy = bytes.slice();
  await decode(bytes);
  expect(bytes).toEqual(copy);
});
