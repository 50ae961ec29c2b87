// The conformance kit in gpu.js's WebAssembly mode: NOT a GPU. The same scalar kernels, quickly, without a browser; Chromium's
// WebGL 2 runs it in test-browser/ and test-slow/.

import { describeConformance } from '@convoke/backend-testkit';
import type { BackendFactory } from '@convoke/backend-api';
import { describe, test } from 'vitest';

import { gpujs, type GpujsOptions } from '../src/index.ts';

/** The factory as it is, but that its probe finds WebAssembly where there is no WebGL. */
const withoutGpu: BackendFactory<GpujsOptions> = {
  ...gpujs,
  probe: () => Promise.resolve({ available: true, detail: 'webasm, no GPU' }),
};

describe('webasm, which is no GPU', () => {
  describeConformance({ describe, test }, withoutGpu, { createOptions: { mode: 'webasm' } });
});
