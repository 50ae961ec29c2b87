// Every op a user calls, by family.

export * from './creation.ts';
export * from './elementwise.ts';
export * from './activations.ts';
export * from './compare.ts';
export * from './reduce.ts';
export * from './movement.ts';
export { slice, split, type SliceOptions, type SplitOptions } from './slice.ts';
export * from './pad.ts';
export * from './linear.ts';
export * from './conv.ts';
export * from './pooling.ts';
export * from './normalization.ts';
export * from './losses.ts';
export * from './regularize.ts';
export * from './resize.ts';
export * from './shuffle.ts';
export type { AxisOptions, ReduceOptions } from './axes.ts';
export type { Operand } from './operands.ts';
