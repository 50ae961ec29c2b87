// What training minimises: for classes, for numbers, for yes-or-no targets and for distributions. PyTorch's definitions.

import {
  DtypeError,
  formatShape,
  formatSpec,
  sameShape,
  ShapeError,
  type Shape,
} from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { logSigmoid, logSoftmax } from './activations.ts';
import { expectFloat32 } from './checks.ts';
import { greater, less, notEqual, where } from './compare.ts';
import { cast } from './creation.ts';
import { abs, add, div, exp, log, maximum, mul, neg, square, sub } from './elementwise.ts';
import { gather, reshape, take } from './movement.ts';
import { mean, sum } from './reduce.ts';

/** One number by mean or sum, or a loss for each element or sample. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  /** Default `'mean'`. */
  readonly reduction?: Reduction | undefined;
}

function expectReduction(op: string, reduction: string, more: readonly string[] = []): void {
  const allowed = ['mean', 'sum', 'none', ...more];
  if (!allowed.includes(reduction)) {
    throw new ShapeError(`${op}: reduction must be one of ${allowed.join(', ')}; got ${reduction}`);
  }
}

function expectAlike(op: string, prediction: Tensor, target: Tensor): void {
  expectFloat32(op, 'prediction', prediction);
  expectFloat32(op, 'target', target);
  if (!sameShape(prediction.shape, target.shape)) {
    throw new ShapeError(
      `${op}: the prediction has shape ${formatShape(prediction.shape)}, the target ${formatShape(target.shape)}; expected equal shapes, as losses do not broadcast`,
    );
  }
}

function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  return reduction === 'mean' ? mean(losses) : sum(losses);
}

// Classes

export interface NllLossOptions extends LossOptions {
  /** Shape [C], the weight of each class. With reduction `'mean'` the sum is divided by the weights of the targets. */
  readonly classWeights?: Tensor | undefined;
  /** Targets of this value count for nothing, not in the mean's divisor either. */
  readonly ignoreIndex?: number | undefined;
}

export interface CrossEntropyOptions extends NllLossOptions {
  /** Share of the target that is spread evenly over all classes, in [0, 1] (Szegedy et al. 2015, arXiv:1512.00567). Default 0. */
  readonly labelSmoothing?: number | undefined;
}

/** The shape of the classes that go with scores [N, C, ...]. */
function classShape(op: string, what: string, scores: Tensor): Shape {
  expectFloat32(op, `tensor of ${what}`, scores);
  if (scores.shape.length < 2) {
    throw new ShapeError(
      `${op}: ${what} have shape ${formatShape(scores.shape)}; expected [N, C] or [N, C, ...] with the classes on axis 1`,
    );
  }
  return [scores.shape[0]!, ...scores.shape.slice(2)];
}

function expectClasses(op: string, what: string, scores: Tensor, classes: Tensor): void {
  const expected = classShape(op, what, scores);
  if (classes.dtype !== 'int32') {
    throw new DtypeError(
      `${op}: the classes are ${formatSpec(classes.spec)}; expected int32 class numbers ${formatShape(expected)}. Convert them with cast(classes, 'int32') first`,
    );
  }
  if (!sameShape(classes.shape, expected)) {
    throw new ShapeError(
      `${op}: ${what} ${formatShape(scores.shape)} need classes of shape ${formatShape(expected)}, got ${formatShape(classes.shape)}`,
    );
  }
}

function expectClassWeights(op: string, scores: Tensor, weights: Tensor | undefined): void {
  if (weights && !sameShape(weights.shape, [scores.shape[1]!])) {
    throw new ShapeError(
      `${op}: classWeights has shape ${formatShape(weights.shape)}; expected ${formatShape([scores.shape[1]!])}, one weight a class`,
    );
  }
}

/** A vector over classes, shaped to broadcast over [N, C, ...]. */
function alongClasses(weights: Tensor, like: Tensor): Tensor {
  return reshape(weights, [weights.shape[0]!, ...like.shape.slice(2).map(() => 1)]);
}

/** -sum over classes of weight * log-probability. */
function spreadLoss(logProbabilities: Tensor, weights: Tensor | undefined): Tensor {
  const terms = weights
    ? mul(logProbabilities, alongClasses(weights, logProbabilities))
    : logProbabilities;
  return neg(sum(terms, { axis: 1 }));
}

/** The losses of class numbers, reduced; the mean divides by the weights of the targets that count. */
function classLoss(
  logProbabilities: Tensor,
  classes: Tensor,
  options: CrossEntropyOptions,
): Tensor {
  const { classWeights, ignoreIndex, labelSmoothing = 0, reduction = 'mean' } = options;
  const counts = ignoreIndex === undefined ? null : notEqual(classes, ignoreIndex);
  // An ignored target may lie outside the classes; class 0 stands in where it is looked up.
  const known = counts ? where(counts, classes, 0) : classes;
  const [n, ...rest] = known.shape;
  const picked = gather(logProbabilities, reshape(known, [n!, 1, ...rest]), { axis: 1 });
  const weights = classWeights
    ? reshape(take(classWeights, reshape(known, [known.size])), known.shape)
    : null;
  let losses = neg(reshape(picked, known.shape));
  if (weights) losses = mul(losses, weights);
  if (labelSmoothing > 0) {
    const classCount = logProbabilities.shape[1]!;
    losses = add(
      mul(losses, 1 - labelSmoothing),
      mul(spreadLoss(logProbabilities, classWeights), labelSmoothing / classCount),
    );
  }
  if (counts) losses = where(counts, losses, 0);
  if (reduction !== 'mean' || (!weights && !counts)) return reduced(losses, reduction);
  const share = weights ?? cast(counts!, 'float32');
  return div(sum(losses), sum(counts && weights ? where(counts, share, 0) : share));
}

/** The losses of target distributions; the mean is over samples (and positions). */
function distributionLoss(
  logProbabilities: Tensor,
  target: Tensor,
  options: CrossEntropyOptions,
): Tensor {
  const { classWeights, labelSmoothing = 0, reduction = 'mean' } = options;
  const classCount = logProbabilities.shape[1]!;
  const smoothed =
    labelSmoothing > 0 ? add(mul(target, 1 - labelSmoothing), labelSmoothing / classCount) : target;
  return reduced(spreadLoss(mul(logProbabilities, smoothed), classWeights), reduction);
}

/**
 * Cross-entropy of logits [N, C, ...] with int32 class numbers [N, ...], or with float32 probabilities of the logits'
 * shape. Without reduction the losses have shape [N, ...]. A mean over no targets at all (all ignored) is NaN.
 * Throws a DtypeError or ShapeError where the target does not fit; a class out of range fails on backends that check.
 */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const op = 'crossEntropy';
  const { classWeights, ignoreIndex, labelSmoothing = 0, reduction = 'mean' } = options;
  expectReduction(op, reduction);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ShapeError(`${op}: labelSmoothing must lie in [0, 1], got ${labelSmoothing}`);
  }
  const distribution = target.dtype === 'float32' && sameShape(target.shape, logits.shape);
  if (distribution) {
    classShape(op, 'logits', logits);
    if (ignoreIndex !== undefined) {
      throw new ShapeError(
        `${op}: ignoreIndex ${ignoreIndex} is for class numbers; the target is ${formatSpec(target.spec)}, probabilities. Give the samples to leave out a row of zeros instead`,
      );
    }
  } else {
    expectClasses(op, 'logits', logits, target);
  }
  expectClassWeights(op, logits, classWeights);
  return scope(() => {
    const plain =
      !distribution && !classWeights && ignoreIndex === undefined && labelSmoothing === 0;
    if (plain && logits.shape.length === 2) {
      return reduced(run('softmaxCrossEntropy', [logits, target], {}), reduction);
    }
    const logProbabilities = logSoftmax(logits, { axis: 1 });
    return (distribution ? distributionLoss : classLoss)(logProbabilities, target, options);
  });
}

/** Negative log-likelihood: log-probabilities [N, C, ...] at int32 class numbers [N, ...]. */
export function nllLoss(
  logProbabilities: Tensor,
  classes: Tensor,
  options: NllLossOptions = {},
): Tensor {
  const { classWeights, ignoreIndex, reduction = 'mean' } = options;
  expectReduction('nllLoss', reduction);
  expectClasses('nllLoss', 'log-probabilities', logProbabilities, classes);
  expectClassWeights('nllLoss', logProbabilities, classWeights);
  return scope(() =>
    classLoss(logProbabilities, classes, { classWeights, ignoreIndex, reduction }),
  );
}

// Numbers

function elementwiseLoss(
  op: string,
  prediction: Tensor,
  target: Tensor,
  reduction: Reduction,
  loss: (difference: Tensor) => Tensor,
): Tensor {
  expectReduction(op, reduction);
  expectAlike(op, prediction, target);
  return scope(() => reduced(loss(sub(prediction, target)), reduction));
}

function expectPositive(op: string, what: string, value: number, least: '>' | '>='): void {
  if (!(value > 0 || (least === '>=' && value === 0)) || value === Infinity) {
    throw new ShapeError(`${op}: ${what} must be a finite number ${least} 0, got ${value}`);
  }
}

/** Squared difference. */
export function mseLoss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return elementwiseLoss('mseLoss', prediction, target, options.reduction ?? 'mean', square);
}

/** Absolute difference. */
export function l1Loss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return elementwiseLoss('l1Loss', prediction, target, options.reduction ?? 'mean', abs);
}

/** d^2 / 2 where |d| < limit, limit (|d| - limit / 2) beyond. */
function huber(difference: Tensor, limit: number): Tensor {
  const size = abs(difference);
  const quadratic = mul(square(difference), 0.5);
  return where(less(size, limit), quadratic, mul(sub(size, limit / 2), limit));
}

/** Squared difference near 0 and absolute beyond: d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere. */
export function smoothL1Loss(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions & { readonly beta?: number | undefined } = {},
): Tensor {
  const { beta = 1, reduction = 'mean' } = options;
  expectPositive('smoothL1Loss', 'beta', beta, '>=');
  return elementwiseLoss('smoothL1Loss', prediction, target, reduction, (difference) =>
    beta === 0 ? abs(difference) : div(huber(difference, beta), beta),
  );
}

/** d^2 / 2 where |d| < delta, delta (|d| - delta / 2) elsewhere. */
export function huberLoss(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions & { readonly delta?: number | undefined } = {},
): Tensor {
  const { delta = 1, reduction = 'mean' } = options;
  expectPositive('huberLoss', 'delta', delta, '>');
  return elementwiseLoss('huberLoss', prediction, target, reduction, (difference) =>
    huber(difference, delta),
  );
}

// Yes or no

/** Near the smallest normal float32, below which not every backend tells a number from 0. */
const TINY = 1.2e-38;

/** log(p), or -100 (PyTorch's limit) where p is 0. */
function limitedLog(p: Tensor): Tensor {
  return where(less(p, TINY), -100, log(maximum(p, TINY)));
}

/** Binary cross-entropy of probabilities in [0, 1] with targets in [0, 1]. Logarithms are limited to -100. */
export function bceLoss(probabilities: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const { reduction = 'mean' } = options;
  expectReduction('bceLoss', reduction);
  expectAlike('bceLoss', probabilities, target);
  return scope(() => {
    const yes = mul(target, limitedLog(probabilities));
    const no = mul(sub(1, target), limitedLog(sub(1, probabilities)));
    return reduced(neg(add(yes, no)), reduction);
  });
}

/** Binary cross-entropy of sigmoid(logits) with targets in [0, 1]; posWeight (broadcast) multiplies the loss of a yes. */
export function bceWithLogitsLoss(
  logits: Tensor,
  target: Tensor,
  options: LossOptions & { readonly posWeight?: Tensor | number | undefined } = {},
): Tensor {
  const { posWeight = 1, reduction = 'mean' } = options;
  expectReduction('bceWithLogitsLoss', reduction);
  expectAlike('bceWithLogitsLoss', logits, target);
  return scope(() => {
    // Two terms of one sign: no digits cancel for large logits.
    const yes = mul(target, logSigmoid(logits));
    const no = mul(sub(1, target), logSigmoid(neg(logits)));
    return reduced(neg(add(posWeight === 1 ? yes : mul(yes, posWeight), no)), reduction);
  });
}

// Distributions

export interface KlDivLossOptions {
  /** Whether the target is given as logarithms too. Default false. */
  readonly logTarget?: boolean | undefined;
  /** Default `'mean'`, over all elements; `'batchmean'` divides the sum by axis 0's length, which is the divergence proper. */
  readonly reduction?: Reduction | 'batchmean' | undefined;
}

/** Kullback-Leibler divergence target * (log(target) - input) of log-probabilities from a target distribution. */
export function klDivLoss(
  logProbabilities: Tensor,
  target: Tensor,
  options: KlDivLossOptions = {},
): Tensor {
  const { logTarget = false, reduction = 'mean' } = options;
  expectReduction('klDivLoss', reduction, ['batchmean']);
  expectAlike('klDivLoss', logProbabilities, target);
  return scope(() => {
    const losses = logTarget
      ? mul(exp(target), sub(target, logProbabilities))
      : sub(timesOwnLog(target), mul(target, logProbabilities));
    if (reduction !== 'batchmean') return reduced(losses, reduction);
    return div(sum(losses), losses.shape[0] ?? 1);
  });
}

/** t log(t), 0 at 0. */
function timesOwnLog(t: Tensor): Tensor {
  const positive = greater(t, 0);
  return where(positive, mul(t, log(where(positive, t, 1))), 0);
}
