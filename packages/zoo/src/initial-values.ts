// How torchvision's mobile networks start.

import { type Generator } from '@convoke/core';
import {
  BatchNorm2d,
  Conv2d,
  initialize,
  kaimingNormal,
  normal,
  zeros,
  type Module,
} from '@convoke/nn';

/** Convolutions normal with variance 2 / fanOut, linear layers normal with deviation 0.01, biases 0. */
export function initializeMobile(model: Module, generator: Generator | undefined): void {
  initialize(model, ({ name, shape, module }) => {
    if (module instanceof BatchNorm2d) return;
    if (name.endsWith('bias')) return zeros(shape);
    if (module instanceof Conv2d) return kaimingNormal(shape, { mode: 'fanOut', generator });
    return normal(shape, { std: 0.01, generator });
  });
}
