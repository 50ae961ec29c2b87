// Losses are functions of core; here they stand beside the layers. A trainer takes any function of outputs and labels.

import type { Tensor } from '@convoke/core';

export {
  bceLoss,
  bceWithLogitsLoss,
  crossEntropy,
  huberLoss,
  klDivLoss,
  l1Loss,
  mseLoss,
  nllLoss,
  smoothL1Loss,
} from '@convoke/core';

/** Mean loss of a batch, a scalar. */
export type Loss = (outputs: Tensor, labels: Tensor) => Tensor;
