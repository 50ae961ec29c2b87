// Architectures by name, and what is done with them. Single families are in `@convoke/zoo/resnet`, `@convoke/zoo/vgg` and so on.

export {
  defineArchitecture,
  type Architecture,
  type BuildOptions,
  type Definition,
  type InputFacts,
  type VariantFacts,
  type WithAuxiliary,
} from './architecture.ts';
export {
  createModel,
  listModels,
  modelInfo,
  registerArchitecture,
  type CreateOptions,
  type ModelInfo,
} from './create.ts';
export { adaptInputChannels, freezeUpTo, resetHead } from './adapt.ts';
export { classNames } from './pretrained/class-names.ts';
export {
  findPretrained,
  listPretrained,
  registerPretrained,
  type PretrainedFilter,
} from './pretrained/catalogue.ts';
export {
  loadPretrained,
  type LoadedWeights,
  type LoadPretrainedOptions,
} from './pretrained/load.ts';
export {
  needsAcceptance,
  type ClassSet,
  type Licences,
  type PretrainedWeights,
  type WeightsOrigin,
} from './pretrained/weights.ts';
export type { EmbeddedWeights } from './embedded-weights.ts';
export { between, flag, oneOf, positive, type OptionRule, type OptionRules } from './options.ts';
