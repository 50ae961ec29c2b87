// Schedules: learning rate, and momentum where it cycles, by optimiser step.

export {
  perEpoch,
  sequentialSchedule,
  type Rate,
  type Schedule,
  type SequentialOptions,
} from './schedule.ts';
export {
  constantRate,
  exponentialDecay,
  inverseTimeDecay,
  linearRamp,
  multiStepDecay,
  polynomialDecay,
  stepDecay,
  type ConstantRateOptions,
  type DecayOptions,
  type ExponentialDecayOptions,
  type InverseTimeDecayOptions,
  type LinearRampOptions,
  type MultiStepDecayOptions,
  type PolynomialDecayOptions,
  type StepDecayOptions,
} from './decay.ts';
export {
  cosineDecay,
  cosineWarmRestarts,
  oneCycle,
  type CosineDecayOptions,
  type CosineWarmRestartsOptions,
  type OneCycleOptions,
} from './cosine.ts';
export {
  reduceOnPlateau,
  type PlateauSchedule,
  type PlateauState,
  type ReduceOnPlateauOptions,
} from './plateau.ts';
