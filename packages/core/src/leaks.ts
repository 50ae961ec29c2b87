// Debug mode: warns of tensors that were collected without having been disposed, with the stack that created them.

import type { Tensor } from './tensor.ts';

interface Birth {
  readonly reference: WeakRef<Tensor>;
  readonly stack: string;
}

const warnOnConsole = (message: string): void => console.warn(message);

let watching = false;
let warn = warnOnConsole;
let registry: FinalizationRegistry<Birth> | null = null;
const live = new Map<WeakRef<Tensor>, string>();
const references = new WeakMap<Tensor, WeakRef<Tensor>>();

export interface DebugOptions {
  /** Note where each tensor is made and warn when one is collected undisposed. Slow: for development. */
  readonly leaks: boolean;
  /** Where warnings go; console.warn unless given. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Turns the watch for leaks on or off. Tensors made while it was off are not watched. */
export function setDebug(options: DebugOptions): void {
  watching = options.leaks;
  warn = options.warn ?? warnOnConsole;
  registry ??= new FinalizationRegistry(noteCollected);
  if (!watching) live.clear();
}

function noteCollected({ reference, stack }: Birth): void {
  if (!live.delete(reference)) return;
  warn(
    `a tensor was collected without dispose(); its memory on the backend is lost. Make it in a scope() or dispose it. It was created here:\n${stack}`,
  );
}

/** Engines keep ten frames unless told otherwise; a layer deep in a network has more between it and the user's line. */
const FRAMES = 50;

function creatingStack(): string {
  const limited = Error as { stackTraceLimit?: number };
  const { stackTraceLimit } = limited;
  if (stackTraceLimit !== undefined) limited.stackTraceLimit = FRAMES;
  const { stack = '' } = new Error('created');
  if (stackTraceLimit !== undefined) limited.stackTraceLimit = stackTraceLimit;
  // Without the message, and the frames of this file.
  return stack.split('\n').slice(3).join('\n');
}

export function noteCreated(tensor: Tensor): void {
  if (!watching) return;
  const stack = creatingStack();
  const reference = new WeakRef(tensor);
  registry!.register(tensor, { reference, stack }, tensor);
  references.set(tensor, reference);
  live.set(reference, stack);
}

export function noteDisposed(tensor: Tensor): void {
  const reference = references.get(tensor);
  if (!reference) return;
  registry!.unregister(tensor);
  live.delete(reference);
}

/** In debug mode, the creating stacks of tensors that are still alive. */
export function liveTensors(): string[] {
  return [...live.values()];
}
