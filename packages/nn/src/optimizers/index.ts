// Optimisers: what changes parameters by their gradients.

export { Optimizer, type CommonOptions } from './optimizer.ts';
export type { ParameterGroup, ParameterList, ParameterSource } from './groups.ts';
export { SGD, type SGDOptions } from './sgd.ts';
export { RMSprop, type RMSpropOptions } from './rmsprop.ts';
export { Adam, AdamW, type AdamOptions } from './adam.ts';
export { Adagrad, Adadelta, type AdagradOptions, type AdadeltaOptions } from './adagrad.ts';
export {
  NAdam,
  RAdam,
  Adamax,
  type AdamVariantOptions,
  type NAdamOptions,
} from './adam-variants.ts';
