// The browser entry in Chromium, on a page that Vite built: what it decodes is what Node decodes.

import { join } from 'node:path';

import { CHROMIUM_FLAGS, chromiumForTests } from '@convoke/backend-testkit/node';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { compositeAlpha, type Image } from '../src/index.ts';
import { decode, encode } from '../src/node.ts';
import { bitmapOf } from '../test/bitmaps.ts';
import { sound } from '../test/damage.ts';
import { largestDifference, noise, scene } from '../test/samples.ts';
import type { Pictures } from './pages/page.ts';
import { buildPage, removePage, serve, type Site } from './site.ts';

declare global {
  // On the page, not here.
  var pictures: Pictures;
}

const executablePath = await chromiumForTests('decoding in a page');

/** The picture's EXIF segment says: turn by 90 degrees. */
function turned(jpeg: Uint8Array): Uint8Array {
  const tiff = [
    0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
  ];
  const body = [...new TextEncoder().encode('Exif\0\0'), ...tiff];
  return Uint8Array.of(0xff, 0xd8, 0xff, 0xe1, 0, body.length + 2, ...body, ...jpeg.subarray(2));
}

interface Decoded {
  readonly size: readonly number[];
  readonly values: readonly number[];
}

const sizeOf = ({ width, height, channels }: Image): number[] => [width, height, channels];

describe.skipIf(executablePath === null)('Chromium: decoding in a page', () => {
  let folder: string;
  let site: Site;
  let other: Site;
  let browser: Browser;
  let page: Page;
  const files: Record<string, Uint8Array> = {};
  const image = scene(60, 40, 3);
  const transparent = scene(20, 10, 4);

  beforeAll(async () => {
    transparent.data.forEach((_, i) => {
      // Whole and no alpha only: what is between loses precision in a canvas.
      if (i % 4 === 3) transparent.data[i] = i % 3 === 0 ? 0 : 255;
    });
    const png = await encode(image, { format: 'png' });
    const jpeg = await encode(image, { format: 'jpeg' });
    const gif = await sound('gif');
    const damaged = png.slice();
    damaged[300]! ^= 1;
    Object.assign(files, {
      '/colour.png': png,
      '/grey.png': await encode(noise(9, 7, 1), { format: 'png' }),
      '/clear.png': await encode(transparent, { format: 'png' }),
      '/photo.jpg': jpeg,
      '/turned.jpg': turned(jpeg),
      '/photo.webp': await encode(image, { format: 'webp' }),
      '/picture.bmp': bitmapOf(image),
      '/cut.jpg': jpeg.subarray(0, jpeg.length / 2),
      '/cut.png': png.subarray(0, png.length / 2),
      '/cut.gif': gif.subarray(0, -1),
      '/damaged.png': damaged,
      '/text.png': new TextEncoder().encode('no picture'),
    });
    folder = await buildPage();
    site = await serve(join(folder, 'dist'), files);
    other = await serve(join(folder, 'dist'), files);
    browser = await chromium.launch({
      executablePath: executablePath!,
      args: [...CHROMIUM_FLAGS],
    });
    page = await browser.newPage();
    await page.goto(site.origin);
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    other?.close();
    if (folder) await removePage(folder);
  });

  const fetched = (path: string, options = {}): Promise<Decoded> =>
    page.evaluate(
      async ([address, given]) => {
        const { width, height, channels, data } = await globalThis.pictures.browser.decode(
          address,
          given,
        );
        return { size: [width, height, channels], values: Array.from(data) };
      },
      [path, options] as const,
    );

  test.each([
    ['/colour.png', 0],
    ['/grey.png', 0],
    ['/clear.png', 0],
    ['/picture.bmp', 0],
    ['/photo.jpg', 3],
    ['/turned.jpg', 3],
    ['/photo.webp', 3],
  ])('%s gives what Node gives, within %i levels', async (path, levels) => {
    const expected = await decode(files[path]!);
    const { size, values } = await fetched(path);
    expect(size).toEqual(sizeOf(expected));
    expect(largestDifference(values, expected.data)).toBeLessThanOrEqual(levels);
  });

  test('alpha is kept and grey made where asked; the orientation is applied', async () => {
    const kept = await fetched('/clear.png', { alpha: 'keep' });
    expect(kept.size).toEqual([20, 10, 4]);
    expect(kept.values.filter((_, i) => i % 4 === 3)).toEqual(
      Array.from(transparent.data).filter((_, i) => i % 4 === 3),
    );
    const background = [0, 0, 255] as const;
    const blue = await fetched('/clear.png', { background });
    expect(blue.values).toEqual(Array.from(compositeAlpha(transparent, { background }).data));
    expect((await fetched('/turned.jpg')).size).toEqual([40, 60, 3]);
    expect((await fetched('/photo.jpg', { channels: 1 })).size).toEqual([60, 40, 1]);
  });

  test('every kind of source gives the same picture', async () => {
    const expected = Array.from(image.data);
    const results = await page.evaluate(async () => {
      const { decode: read, toImageData } = globalThis.pictures.browser;
      const response = await fetch('/colour.png');
      const blob = await response.blob();
      const bytes = await blob.arrayBuffer();
      const element = new globalThis.Image();
      element.src = '/colour.png';
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [60, 40];
      const data = toImageData(await read(blob));
      canvas.getContext('2d')!.putImageData(data, 0, 0);
      const offscreen = new OffscreenCanvas(60, 40);
      offscreen.getContext('2d')!.putImageData(data, 0, 0);
      const frame = new VideoFrame(canvas, { timestamp: 0 });
      const sources = {
        address: '/colour.png',
        url: new URL('/colour.png', location.href),
        data: `data:image/png;base64,${btoa(String.fromCharCode(...new Uint8Array(bytes)))}`,
        blob,
        file: new File([blob], 'a.png'),
        bytes: new Uint8Array(bytes),
        buffer: bytes,
        element,
        canvas,
        offscreen,
        pixels: data,
        bitmap: await createImageBitmap(blob),
        frame,
      };
      const entries = [];
      for (const [name, source] of Object.entries(sources)) {
        const { width, height, data: values } = await read(source);
        entries.push([name, width, height, Array.from(values)] as const);
      }
      frame.close();
      return entries;
    });
    expect(results.length).toBe(13);
    for (const [name, width, height, values] of results) {
      expect([name, width, height]).toEqual([name, 60, 40]);
      // A video frame may have been through other colour formulas.
      const levels = name === 'frame' ? 2 : 0;
      expect(largestDifference(values, expected)).toBeLessThanOrEqual(levels);
    }
  });

  test.each([
    ['/cut.jpg', 'format'],
    ['/cut.png', 'format'],
    ['/cut.gif', 'format'],
    ['/damaged.png', 'format'],
    ['/text.png', 'format'],
    ['/missing.png', 'read'],
  ])('%s is an ImageError that names it', async (path, code) => {
    const failure = await page.evaluate(async (address) => {
      const { ImageError } = globalThis.pictures.image;
      return globalThis.pictures.browser.decode(address).then(
        () => null,
        (error: InstanceType<typeof ImageError>) => [
          error instanceof ImageError,
          error.code,
          error.message,
        ],
      );
    }, path);
    expect(failure).toEqual([true, code, expect.stringContaining(path)]);
  });

  test('sources, options and pictures that there are not are refused', async () => {
    const failures = await page.evaluate(async () => {
      const { decode: read, encode: write } = globalThis.pictures.browser;
      const picture = new globalThis.pictures.image.Image({ width: 1, height: 1, channels: 3 });
      const asked = [
        read('/colour.png', null!),
        read('/colour.png', { channels: 4 as 3 }),
        read('/colour.png', { alpha: 'remove' as 'keep' }),
        read(null!),
        write(picture, undefined!),
        write(null!, { format: 'png' }),
      ];
      return Promise.all(
        asked.map((result) =>
          result.then(
            () => '',
            ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
          ),
        ),
      );
    });
    expect(failures).toEqual([
      expect.stringMatching(/^argument: .*options as an object, not null/),
      expect.stringMatching(/^argument: channels is 1 or 3, not 4/),
      expect.stringMatching(/^argument: alpha is 'composite' or 'keep', not 'remove'/),
      expect.stringMatching(/^argument: .*give a file, an address, or something to draw/),
      expect.stringMatching(/^argument: .*after the picture, not undefined/),
      expect.stringMatching(/^argument: encode takes an Image first/),
    ]);
  });

  test("limits hold for files and canvases; another site's pixels are refused", async () => {
    const codes = await page.evaluate(async (address) => {
      const { decode: read } = globalThis.pictures.browser;
      const foreign = new globalThis.Image();
      foreign.src = address;
      const results = await Promise.allSettled([
        read('/colour.png', { maxPixels: 2399 }),
        read(new OffscreenCanvas(60, 40), { maxPixels: 2399 }),
        read(foreign),
      ]);
      return results.map(
        (result) => 'reason' in result && (result.reason as { code: string }).code,
      );
    }, `${other.origin}/colour.png`);
    expect(codes).toEqual(['limit', 'limit', 'read']);
  });

  test('what it encodes, Node decodes', async () => {
    const written = await page.evaluate(async () => {
      const { decode: read, encode: write } = globalThis.pictures.browser;
      const picture = await read('/colour.png');
      const formats = ['png', 'jpeg', 'webp'] as const;
      const bytes = await Promise.all(formats.map((format) => write(picture, { format })));
      return bytes.map((entry) => Array.from(entry));
    });
    for (const [i, bytes] of written.entries()) {
      const back = await decode(Uint8Array.from(bytes));
      const total = back.data.reduce((sum, v, k) => sum + Math.abs(v - image.data[k]!), 0);
      expect(total / back.data.length).toBeLessThanOrEqual(i === 0 ? 0 : 3);
    }
  });
});
