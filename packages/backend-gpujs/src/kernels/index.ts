// The op table of this backend.

import type { OpKernels } from '../kernel.ts';
import { convKernels } from './conv.ts';
import { creationKernels } from './creation.ts';
import { elementwiseKernels } from './elementwise.ts';
import { matmulKernels } from './matmul.ts';
import { movementKernels } from './movement.ts';
import { normalizationKernels } from './normalization.ts';
import { optimizerKernels } from './optimizers.ts';
import { poolingKernels } from './pooling.ts';
import { reductionKernels } from './reductions.ts';
import { resamplingKernels } from './resampling.ts';

export const kernels: OpKernels = {
  ...creationKernels,
  ...elementwiseKernels,
  ...reductionKernels,
  ...movementKernels,
  ...matmulKernels,
  ...convKernels,
  ...poolingKernels,
  ...resamplingKernels,
  ...normalizationKernels,
  ...optimizerKernels,
};
