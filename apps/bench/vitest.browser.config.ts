import { defineConfig } from 'vitest/config';

// Chromium on the page as `npm run bench:web` serves it.
export default defineConfig({
  test: {
    name: 'bench browser',
    include: ['test-browser/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
