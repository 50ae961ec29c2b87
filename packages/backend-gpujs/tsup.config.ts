import { readFile } from 'node:fs/promises';

import { defineConfig, type Options } from 'tsup';

/** Takes out the line by which a debugging aid of gpu.js's puts itself on the page's `window`. */
const withoutGlobal: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'without-global',
  setup(build) {
    build.onLoad({ filter: /gl-wiretap\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replace('window.glWiretap = glWiretap;', '');
      if (contents === source) throw new Error(`${path} no longer sets window.glWiretap`);
      return { contents, loader: 'js' };
    });
  },
};

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
  esbuildPlugins: [withoutGlobal],
  minify: true,
  banner: {
    js: '/*! Contains gpu.js 2.24.1, acorn 8.14.0 and gpu-mock.js 1.4.1 (MIT): see THIRD-PARTY-LICENSES.txt */',
  },
  esbuildOptions(options) {
    // Its source entry: the one for browsers replaces `window.GPU`.
    options.mainFields = ['module', 'main'];
  },
});
