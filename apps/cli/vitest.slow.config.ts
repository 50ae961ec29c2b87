import { defineConfig } from 'vitest/config';

// Whole training runs: minutes each. `npm run test:all` runs them.
export default defineConfig({
  test: { name: 'cli slow', include: ['test-slow/**/*.test.ts'], testTimeout: 20 * 60_000 },
});
