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
  // Most of it is planned by many small functions; sources come along for reading. esbuild shortens the code, terser only names:
  // it gives equal places equal names, which gzip packs smaller.
  minify: 'terser',
  terserOptions: { compress: false, sourceMap: true },
  esbuildOptions: (options) => {
    options.minify = true;
    // The packed kernels stand at the head of the bundle, apart from the program: gzip codes the two differently.
    options.inject = ['src/generated/kernels.ts'];
  },
});
