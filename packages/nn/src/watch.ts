// Lets summaries and diagnosis see each module at work.

import type { Tensor } from '@convoke/core';

import type { Module } from './module.ts';

/** What stands around a call of a module's `forward`: it calls `run` and gives back what that gives. */
export type Around = (name: string, module: Module, run: () => Tensor) => Tensor;

/** Runs `f` with `around` called for every `forward` of `root` and the modules in it. */
export function watchForward<T>(root: Module, around: Around, f: () => T): T {
  const undo: (() => void)[] = [];
  for (const [name, module] of root.namedModules()) {
    const before = Object.getOwnPropertyDescriptor(module, 'forward');
    const { forward } = module;
    module.forward = (...inputs) => around(name, module, () => forward.apply(module, inputs));
    undo.push(() => {
      // Usually the class's method shows again once the wrapper is gone.
      if (before) Object.defineProperty(module, 'forward', before);
      else delete (module as Partial<Module>).forward;
    });
  }
  try {
    return f();
  } finally {
    for (const step of undo) step();
  }
}
