import { defaultServerConditions } from 'vite';
import { defineProject } from 'vitest/config';

export default defineProject({
  // Workspace packages resolve to their sources: tests need no build.
  ssr: { resolve: { conditions: ['@convoke/source', ...defaultServerConditions] } },
  test: { name: 'backend-gpujs', include: ['test/**/*.test.ts'], testTimeout: 120_000 },
});
