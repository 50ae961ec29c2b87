import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

// What takes minutes. `npm run test:all` runs it.
export default defineConfig({
  ssr: { resolve: { conditions: ['@convoke/source', ...defaultServerConditions] } },
  test: {
    name: 'zoo slow',
    include: ['test-slow/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 10 * 60_000,
    hookTimeout: 120_000,
  },
});
