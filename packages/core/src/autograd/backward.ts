// Walks the tape from a result back to what it came from, calling each op's rule once, latest op first.

import {
  createMeta,
  DataError,
  DtypeError,
  formatShape,
  formatSpec,
  sameSpec,
  ShapeError,
  type Backend,
} from '@convoke/backend-api';

import { onBackend } from '../creation.ts';
import { run } from '../dispatch.ts';
import { enableGrad, noGrad } from '../grad-mode.ts';
import { scope } from '../scope.ts';
import { expectTensor } from '../kinds.ts';
import { expectSync } from '../synchronous.ts';
import type { Leaf, Saved, TapeNode } from '../tape.ts';
import { Slot, Tensor } from '../tensor.ts';
import { rules, type Rule } from './gradients.ts';

export interface GradOptions {
  /** Note the gradient's own computation, so that it can be differentiated again. Default false. */
  readonly createGraph?: boolean;
  /** Keep what the tape saved, so that the same result can be walked again. Default: as createGraph. */
  readonly retainGraph?: boolean;
}

type Target = TapeNode | Leaf;

const placeholders = createMeta();

/** A saved value as a tensor; one that no rule needs has a shape only. */
function revive({ spec, handle, origin }: Saved, backend: Backend, self: TapeNode | null): Tensor {
  if (!handle) return new Tensor(placeholders, placeholders.upload(spec, new Uint8Array(0)));
  backend.retain(handle);
  const tensor = new Tensor(
    backend,
    handle,
    self ?? (origin && 'node' in origin ? origin.node : null),
  );
  if (origin && 'leaf' in origin) tensor.leaf = origin.leaf;
  return tensor;
}

/** A second tensor on the same value, with the same history. */
function alias(tensor: Tensor): Tensor {
  tensor.backend.retain(tensor.handle);
  const copy = new Tensor(tensor.backend, tensor.handle, tensor.node);
  copy.leaf = tensor.leaf;
  return copy;
}

function targetOf({ origin }: Saved): Target | null {
  if (!origin) return null;
  return 'node' in origin ? origin.node : origin.leaf;
}

/** The nodes below `root` that lead to a wanted target, latest first. */
function path(root: TapeNode, wanted: (target: Target) => boolean): TapeNode[] {
  const seen = new Set<TapeNode>();
  const pending = [root];
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const { origin } of node.inputs) if (origin && 'node' in origin) pending.push(origin.node);
  }
  const leading = new Set<Target>();
  const ordered = [...seen].toSorted((a, b) => a.order - b.order);
  for (const node of ordered) {
    const leads = node.inputs.some((input) => {
      const target = targetOf(input);
      return target !== null && (wanted(target) || leading.has(target));
    });
    if (leads) leading.add(node);
  }
  return ordered.filter((node) => leading.has(node)).toReversed();
}

function applyRule(node: TapeNode, g: Tensor, wants: readonly boolean[]): (Tensor | null)[] {
  const rule = rules[node.op] as Rule<typeof node.op>;
  return scope(() => {
    const inputs = node.inputs.map((input) => revive(input, node.backend, null));
    const outputs = node.outputs.map((output, i) =>
      revive(output, node.backend, i === 0 ? node : null),
    );
    const gradients = onBackend(node.backend, () => rule(g, inputs, outputs, node.attributes));
    return wants.map((wanted, i) => {
      if (!wanted) return null;
      const result = onBackend(node.backend, () => gradients[i]!());
      // A rule may hand on what it was given; the walk needs a tensor of its own.
      return result === g || inputs.includes(result) || outputs.includes(result)
        ? alias(result)
        : result;
    });
  });
}

/** Whether gradients are to be kept there. */
function isSlot(target: Target): boolean {
  return 'slot' in target && target.slot !== null;
}

/** Gradients of `output` with respect to whatever `wanted` accepts. Results are the current scope's. */
function walk(
  output: Tensor,
  seed: Tensor,
  wanted: (target: Target) => boolean,
  options: GradOptions,
): Map<Target, Tensor> {
  const { createGraph = false, retainGraph = createGraph } = options;
  const mode = createGraph ? enableGrad : noGrad;
  const gradients = new Map<Target, Tensor>();
  const start: Target | null = output.node ?? output.leaf;
  if (!start) return gradients;
  gradients.set(start, alias(seed));
  if (!output.node) return gradients;

  const receive = (target: Target, gradient: Tensor): void => {
    const sum = gradients.get(target);
    if (!sum) {
      gradients.set(target, gradient);
      return;
    }
    gradients.set(
      target,
      mode(() => run('add', [sum, gradient], {})),
    );
    sum.dispose();
    gradient.dispose();
  };

  const nodes = path(output.node, wanted);
  const leading = new Set<Target>(nodes);
  for (const node of nodes) {
    const g = gradients.get(node);
    if (!g) continue;
    if (node.released) {
      throw new DataError(
        `backward: the values saved by '${node.op}' were freed by an earlier backward pass; pass {retainGraph: true} there, or compute the result again`,
      );
    }
    const targets = node.inputs.map(targetOf);
    const wants = targets.map(
      (target) => target !== null && (wanted(target) || leading.has(target)),
    );
    const results = mode(() => applyRule(node, g, wants));
    for (const [i, result] of results.entries()) if (result) receive(targets[i]!, result);
    if (!wanted(node)) {
      gradients.delete(node);
      g.dispose();
    }
    if (!retainGraph) node.releaseSaved();
  }
  return gradients;
}

function seedFor(output: Tensor, gradient: Tensor | undefined, op: string): Tensor {
  if (output.dtype !== 'float32') {
    throw new DtypeError(`${op}: expected a float32 result to differentiate, got ${output.dtype}`);
  }
  if (gradient) {
    gradient.handleFor(`${op} (the gradient)`);
    if (!sameSpec(gradient.spec, output.spec)) {
      throw new ShapeError(
        `${op}: the gradient is ${formatSpec(gradient.spec)}; expected that of the result, ${formatSpec(output.spec)}`,
      );
    }
    return alias(gradient);
  }
  if (output.size !== 1) {
    throw new ShapeError(
      `${op}: the result has shape ${formatShape(output.shape)}; expected a single number such as a mean loss, or a gradient of the result's shape`,
    );
  }
  return run(
    'fill',
    [],
    { shape: output.shape, dtype: 'float32', value: 1 },
    { backend: output.backend },
  );
}

/**
 * Adds the gradient of `loss` to `grad` of every parameter it depends on, and frees what the tape saved.
 * `loss` has one element, unless `gradient` (of its shape) is given.
 */
export function backward(
  loss: Tensor,
  gradient?: Tensor,
  options: { retainGraph?: boolean } = {},
): void {
  expectTensor('backward', 'the result', loss);
  loss.handleFor('backward');
  if (!loss.requiresGrad) {
    throw new DataError(
      'backward: the result depends on no parameter that requires a gradient (all may be frozen), or was computed under noGrad',
    );
  }
  scope(() => {
    const seed = seedFor(loss, gradient, 'backward');
    for (const [target, result] of walk(loss, seed, isSlot, options)) {
      if ('slot' in target && target.slot) accumulate(target.slot, result);
    }
  });
}

function accumulate(slot: Slot, gradient: Tensor): void {
  if (!slot.grad) {
    const { backend, handle } = gradient.take();
    slot.grad = new Slot(backend, handle);
    return;
  }
  const sum = noGrad(() => run('add', [slot.grad!, gradient], {}));
  gradient.dispose();
  slot.grad.assign(sum);
}

/**
 * Gradients of `output` (one element) with respect to each of `inputs`: parameters, or tensors it was computed from. An
 * input that `output` does not depend on gets zeros. Touches no `grad` of any parameter.
 */
export function grad(
  output: Tensor,
  inputs: readonly Tensor[],
  options: GradOptions & { gradient?: Tensor } = {},
): Tensor[] {
  output.handleFor('grad');
  const targets = inputs.map((input, i): Target => {
    const target = input.node ?? input.leaf;
    if (!target) {
      throw new DataError(
        `grad: input ${i} of shape ${formatShape(input.shape)} requires no gradient; use valueAndGrad, or a parameter`,
      );
    }
    return target;
  });
  const wanted = new Set(targets);
  return scope(() => {
    const seed = seedFor(output, options.gradient, 'grad');
    const gradients = walk(output, seed, (target) => wanted.has(target), options);
    return targets.map((target, i) => {
      const found = gradients.get(target);
      if (found) return alias(found);
      const { shape, backend } = inputs[i]!;
      return run('fill', [], { shape, dtype: 'float32', value: 0 }, { backend });
    });
  });
}

export interface ValueAndGrad {
  readonly value: Tensor;
  /** One gradient for each argument, of its shape. */
  readonly grads: Tensor[];
}

/**
 * The function that computes `f` and the gradients of its result (one element) with respect to its arguments. Nests: the
 * gradient of a gradient is a second derivative.
 */
export function valueAndGrad(
  f: (...inputs: Tensor[]) => Tensor,
): (...inputs: Tensor[]) => ValueAndGrad {
  return (...inputs) => {
    const outer = inputs.some(({ requiresGrad }) => requiresGrad);
    return scope(() =>
      enableGrad(() => {
        const copies = inputs.map((input) => {
          if (input.requiresGrad) return run('reshape', [input], { shape: input.shape });
          const copy = alias(input);
          copy.leaf = { slot: null };
          return copy;
        });
        const result = expectSync('valueAndGrad', f(...copies));
        expectTensor('valueAndGrad', "the function's result", result);
        const grads = grad(result, copies, { createGraph: outer, retainGraph: true });
        // Without an outer derivative the value's history ends here.
        const value = outer
          ? alias(result)
          : new Tensor(result.backend, (result.backend.retain(result.handle), result.handle));
        return { value, grads };
      }),
    );
  };
}
