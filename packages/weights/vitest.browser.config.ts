import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

// Chromium on a page that Vite builds of the sources.
export default defineConfig({
  ssr: { resolve: { conditions: ['@convoke/source', ...defaultServerConditions] } },
  test: {
    name: 'weights browser',
    include: ['test-browser/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
