// All planners by op.

import { convolution } from './conv.ts';
import { creation } from './creation.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { matrixProduct } from './matmul.ts';
import { movement } from './movement.ts';
import { normalization } from './normalization.ts';
import { optimizers } from './optimizers.ts';
import type { Planners } from './planner.ts';
import { pooling } from './pooling.ts';
import { reductions } from './reductions.ts';
import { resampling } from './resampling.ts';
import { softmax } from './softmax.ts';

export const planners: Planners = {
  ...creation,
  ...elementwise,
  ...reductions,
  ...movement,
  ...indexing,
  ...matrixProduct,
  ...convolution,
  ...pooling,
  ...resampling,
  ...normalization,
  ...softmax,
  ...optimizers,
};
