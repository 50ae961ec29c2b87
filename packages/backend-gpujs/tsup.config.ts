import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  splitting: false,
  sourcemap: true,
  clean: true,
  dts: false,
  // gpu.js comes along: as a dependency it would bring an 84 MB package that it never loads, and a native one.
  noExternal: ['gpu.js', 'gpu-mock.js', 'acorn'],
  // What it asks for in Node only, and only in modes that are not ours.
  external: ['gl', 'webgpu', 'worker_threads', 'os'],
  minify: true,
  banner: {
    js: '/*! Contains gpu.js 2.24.1, acorn 8.14.0 and gpu-mock.js 1.4.1 (MIT): see THIRD-PARTY-LICENSES.txt */',
  },
  esbuildOptions(options) {
    // Its source entry: the one for browsers replaces `window.GPU`.
    options.mainFields = ['module', 'main'];
  },
});
