import { defineConfig } from 'tsup';

export default defineConfig({
  entry: [
    'src/index.ts',
    'src/node.ts',
    'src/browser.ts',
    'src/golden.ts',
    'src/testkit.ts',
    'src/architectures/*.ts',
    'src/weights/*.ts',
  ],
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: false,
});
