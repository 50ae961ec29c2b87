import { defineConfig } from 'vitest/config';

// Chromium on pages made of the built packages. One file at a time: each page wants all cores.
export default defineConfig({
  test: {
    name: 'backend-gpujs browser',
    include: ['test-browser/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
