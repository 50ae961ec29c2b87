import { defineConfig } from 'vitest/config';

// What takes minutes. `npm run test:all` runs it.
export default defineConfig({
  test: {
    name: 'backend-gpujs slow',
    include: ['test-slow/*.test.ts'],
    testTimeout: 15 * 60_000,
    hookTimeout: 120_000,
  },
});
