// All kernels by op.

import type { Kernels } from '../kernel.ts';
import { averagePooling } from './average-pool.ts';
import { batchNormalization } from './batch-norm.ts';
import { binaryKernels } from './binary.ts';
import { convolution } from './conv.ts';
import { creationKernels } from './creation.ts';
import { gatherKernels } from './gather.ts';
import { responseNormalization } from './lrn.ts';
import { matrixProduct } from './matmul.ts';
import { maxPooling } from './max-pool.ts';
import { movementKernels } from './movement.ts';
import { optimizerKernels } from './optimizers.ts';
import { orderKernels } from './order.ts';
import { randomKernels } from './random.ts';
import { reduceKernels } from './reduce.ts';
import { resampling } from './resample.ts';
import { softmaxKernels } from './softmax.ts';
import { unaryKernels } from './unary.ts';

export const kernels: Kernels = {
  ...creationKernels,
  ...unaryKernels,
  ...binaryKernels,
  ...reduceKernels,
  ...orderKernels,
  ...movementKernels,
  ...gatherKernels,
  ...randomKernels,
  ...softmaxKernels,
  ...optimizerKernels,
  ...matrixProduct,
  ...convolution,
  ...maxPooling,
  ...averagePooling,
  ...resampling,
  ...batchNormalization,
  ...responseNormalization,
};
