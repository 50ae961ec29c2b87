import { defineConfig } from 'tsup';

export default defineConfig([
  {
    entry: ['src/main.ts'],
    format: 'esm',
    target: 'node20',
    platform: 'node',
    splitting: false,
    sourcemap: true,
    clean: ['!browser/**'],
    dts: false,
  },
  {
    // The page of `convoke golden --browser`: one file that needs nothing else.
    entry: ['src/browser/golden-page.ts'],
    outDir: 'dist/browser',
    format: 'esm',
    target: 'es2023',
    platform: 'browser',
    noExternal: [/^@convoke\//],
    splitting: false,
    clean: true,
    dts: false,
  },
]);
