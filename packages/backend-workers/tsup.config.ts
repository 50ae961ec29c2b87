import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/index.ts', 'src/worker.ts'],
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  splitting: false,
  sourcemap: true,
  clean: true,
  dts: false,
  // Most of it is planned by many small functions; sources come along for reading.
  minify: true,
  // The packed kernels stand at the head of the bundle, apart from the program: gzip codes the two differently.
  esbuildOptions: (options) => {
    options.inject = ['src/generated/kernels.ts'];
  },
});
