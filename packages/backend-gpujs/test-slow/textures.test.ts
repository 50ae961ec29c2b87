// A thousand training steps in Chromium: as many textures at the end as at the beginning.

import { expect, test } from 'vitest';

import { describeInChromium } from '../test-browser/chromium.ts';
import { trainAndCount, watchWebGl } from '../test-browser/textures.ts';

await describeInChromium('1,000 training steps on WebGL 2', (browser) => {
  test('hold no more textures than 10', async () => {
    const { page } = await browser.open({ before: watchWebGl });
    const { textures, handles, left } = await page.evaluate(trainAndCount, [10, 100, 500, 1000]);
    expect(textures[0]).toBeGreaterThan(10);
    expect(textures).toEqual(textures.map(() => textures[0]));
    expect(handles).toEqual(handles.map(() => handles[0]));
    expect(left).toBe(0);
  });
});
