// Tensors, ops, automatic differentiation, scopes and seeded random numbers.

export { Tensor, Slot, parameter, buffer } from './tensor.ts';
export { scope, keep, type Scope } from './scope.ts';
export { noGrad, enableGrad, isGradEnabled } from './grad-mode.ts';
export {
  backward,
  grad,
  valueAndGrad,
  type GradOptions,
  type ValueAndGrad,
} from './autograd/backward.ts';
export { checkGradients, type GradientCheck, type GradientCheckOptions } from './autograd/check.ts';
export {
  dispatch,
  explain,
  observeOps,
  type DispatchOptions,
  type OpCount,
  type OpObserver,
} from './dispatch.ts';
export { currentBackend, fromHost, isSymbolic, onBackend } from './creation.ts';
export {
  Generator,
  permutation,
  type DrawOptions,
  type GeneratorState,
  type NormalOptions,
  type UniformOptions,
} from './random.ts';
export { setDebug, liveTensors, type DebugOptions } from './leaks.ts';
export { memory } from './memory.ts';
export type { Nested } from './print.ts';
export * from './ops/index.ts';
export {
  best,
  createMeta,
  createRecorder,
  current,
  definition,
  formatShape,
  formatSpec,
  list,
  register,
  use,
  ConvokeError,
  BackendError,
  DataError,
  DisposedError,
  DtypeError,
  ShapeError,
  isConvokeError,
  replay,
  sameShape,
  sameSpec,
  sizeOf,
  SPEC_VERSION,
  unregister,
  type Backend,
  type BackendFactory,
  type Data,
  type Dtype,
  type Handle,
  type OpAttributes,
  type OpName,
  type Pair,
  type Program,
  type Shape,
  type Spec,
} from '@convoke/backend-api';
