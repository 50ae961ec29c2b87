import { defineConfig } from 'vitest/config';

// Chromium on a page made of the built package.
export default defineConfig({
  test: {
    name: 'image browser',
    include: ['test-browser/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
