// Ops that go on with what convolutions leave, texels of four channels: the kit's inputs are uploaded, and flat.

import { expect, test } from 'vitest';

import { describeInChromium } from './chromium.ts';

await describeInChromium('gpujs on images', (browser) => {
  test.each([
    { channels: [8, 4, 8], axis: 1, flat: 0 },
    { channels: [4, 8, 3], axis: 1, flat: 0 },
    { channels: [3, 8], axis: 1, flat: 2 },
    { channels: [5, 5, 5], axis: 0, flat: 0 },
    { channels: [6, 6], axis: 2, flat: 0 },
    { channels: [4, 4], axis: 3, flat: 0 },
    { channels: Array.from({ length: 19 }, (_, i) => 4 + (i % 3) * 4), axis: 1, flat: 0 },
  ])(
    'joins convolutions of $channels channels along axis $axis as they are; $flat are made flat',
    async ({ channels, axis, flat }) => {
      const { page } = await browser.open();
      const results = await page.evaluate(
        async (given) => {
          const { backend, core, js } = globalThis.kit;
          const gpu = await backend.createGpujs();
          const values: number[][] = [];
          let made = 0;
          for (const device of [await js.create(), gpu]) {
            await core.use(device);
            const generator = new core.Generator(1);
            const x = generator.normal([2, 3, 7, 9]);
            const parts = given.channels.map((count) =>
              core.conv2d(x, generator.normal([count, 3, 3, 3]), { padding: 1 }),
            );
            const before = device.memory().details?.['textures'] ?? 0;
            const joined = core.concat(parts, { axis: given.axis });
            made = (device.memory().details?.['textures'] ?? 0) - before;
            values.push(Array.from(await joined.data()));
          }
          gpu.dispose();
          return { values, made };
        },
        { channels, axis },
      );
      const [expected, found] = results.values as [number[], number[]];
      expect(found).toHaveLength(expected.length);
      const worst = Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)));
      expect(worst).toBeLessThan(1e-4);
      // The result, and flat forms.
      expect(results.made).toBe(1 + flat);
    },
  );
});
