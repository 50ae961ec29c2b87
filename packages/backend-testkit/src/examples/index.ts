// All examples.

import { elementwise } from './elementwise.ts';
import { empty } from './empty.ts';
import type { Example } from './example.ts';
import { gradientOps } from './gradient-ops.ts';
import { linear } from './linear.ts';
import { movement } from './movement.ts';
import { normalization } from './normalization.ts';
import { pooling } from './pooling.ts';
import { reductions } from './reductions.ts';
import { resampling } from './resampling.ts';

export { drawInputs, lacking, specOf, wantsGradient, type Example } from './example.ts';
export { empty } from './empty.ts';
export { nonFinite } from './non-finite.ts';

export const examples: readonly Example[] = [
  ...elementwise,
  ...reductions,
  ...movement,
  ...linear,
  ...pooling,
  ...resampling,
  ...normalization,
  ...gradientOps,
  ...empty,
];
