// What a layer and a network are: an object whose fields hold parameters and buffers (slots of core) and child modules. Names
// of parameters are those of PyTorch's state_dict: field names along the path, joined by dots.

import { DataError, type Backend, type Slot, type Tensor } from '@convoke/core';

import { moveSlots } from './move.ts';
import {
  loadState,
  type LoadReport,
  type LoadStateOptions,
  type NamedTensors,
} from './state-dict.ts';

function isSlot(value: unknown): value is Slot {
  return typeof value === 'object' && value !== null && 'isParameter' in value;
}

const joined = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

export abstract class Module {
  /** Whether layers that act differently in training (Dropout, BatchNorm2d) do so. Set by `train` and `eval`. */
  training = true;
  /** Whether parameters take no gradient, and batch normalisation keeps its statistics. Set by `freeze` and `unfreeze`. */
  frozen = false;

  abstract forward(...inputs: Tensor[]): Tensor;

  /** What a field's slot is called in the state dict. Overridden where PyTorch's name is another. */
  protected stateName(field: string): string {
    return field;
  }

  /** Fields whose slots old weight files may lack: loading then leaves them as they are. */
  protected optionalState(): readonly string[] {
    return [];
  }

  /** What stands in parentheses in `toString`. */
  protected describe(): string {
    return '';
  }

  /** Modules directly in this one, by name: fields that hold a module, or an array of them (`layers.0`, `layers.1`, ...). */
  namedChildren(): Map<string, Module> {
    const children = new Map<string, Module>();
    for (const [field, value] of Object.entries(this)) {
      if (value instanceof Module) children.set(field, value);
      if (!Array.isArray(value)) continue;
      for (const [i, item] of (value as readonly unknown[]).entries()) {
        if (item instanceof Module) children.set(`${field}.${i}`, item);
      }
    }
    return children;
  }

  /** This module, under the empty name, and all modules in it, each once. */
  namedModules(): Map<string, Module> {
    const named = new Map<string, Module>();
    const seen = new Set<Module>();
    const visit = (module: Module, path: string): void => {
      if (seen.has(module)) return;
      seen.add(module);
      named.set(path, module);
      for (const [name, child] of module.namedChildren()) visit(child, joined(path, name));
    };
    visit(this, '');
    return named;
  }

  /** The module at a path such as `features.3`. Throws a DataError where there is none. */
  moduleAt(path: string): Module {
    return path === '' ? this : parentOf(this, path).child;
  }

  /**
   * Puts another module in the place of the one at `path`, which is returned and stays undisposed: a new head, say. Throws a
   * DataError where there is none.
   */
  replaceModule(path: string, replacement: Module): Module {
    const { parent, name, child } = parentOf(this, path);
    parent.setChild(name, replacement);
    return child;
  }

  protected setChild(name: string, module: Module): void {
    const [field, index] = name.split('.') as [string, string?];
    const fields = this as unknown as Record<string, unknown>;
    if (index === undefined) fields[field] = module;
    else (fields[field] as Module[])[Number(index)] = module;
  }

  /** Slots directly in this module by their names in the state dict, parameters first. */
  ownSlots(): Map<string, Slot> {
    const slots = Object.entries(this).filter(([, value]) => isSlot(value)) as [string, Slot][];
    const ordered = slots.toSorted(([, a], [, b]) => Number(b.isParameter) - Number(a.isParameter));
    return new Map(ordered.map(([field, slot]) => [this.stateName(field), slot]));
  }

  /**
   * All parameters and buffers under the names that PyTorch's state_dict gives them. One that is shared stands under each of
   * its names. The slots are the module's own: assigning to them changes it.
   */
  stateDict(): Map<string, Slot> {
    const slots = new Map<string, Slot>();
    const visit = (module: Module, path: string): void => {
      for (const [name, slot] of module.ownSlots()) slots.set(joined(path, name), slot);
      for (const [name, child] of module.namedChildren()) visit(child, joined(path, name));
    };
    visit(this, '');
    return slots;
  }

  /** What is trained, each slot once, under its first name. Frozen parameters included. */
  namedParameters(): Map<string, Slot> {
    return this.#named((slot) => slot.isParameter);
  }

  /** What is kept but not trained, such as running statistics. */
  namedBuffers(): Map<string, Slot> {
    return this.#named((slot) => !slot.isParameter);
  }

  parameters(): Slot[] {
    return [...this.namedParameters().values()];
  }

  #named(wanted: (slot: Slot) => boolean): Map<string, Slot> {
    const seen = new Set<Slot>();
    const named = new Map<string, Slot>();
    for (const [name, slot] of this.stateDict()) {
      if (seen.has(slot) || !wanted(slot)) continue;
      seen.add(slot);
      named.set(name, slot);
    }
    return named;
  }

  /**
   * Takes over values by name. With `strict` (the default) throws a DataError, before anything is changed, that lists names
   * which are missing, unexpected or of another shape or dtype; without it loads what fits. Reports either way.
   */
  loadStateDict(tensors: NamedTensors, options: LoadStateOptions = {}): LoadReport {
    const optional = new Set<string>();
    for (const [path, module] of this.namedModules()) {
      for (const field of module.optionalState()) {
        optional.add(joined(path, module.stateName(field)));
      }
    }
    return loadState(this.stateDict(), optional, tensors, options);
  }

  /** Training mode (`false`: evaluation mode) for this module and all in it. Returns the module. */
  train(training = true): this {
    for (const module of this.namedModules().values()) module.training = training;
    return this;
  }

  /** Evaluation mode: dropout passes everything, batch normalisation uses its running statistics. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Stops training of this module and all in it: parameters take no gradient, and batch normalisation neither updates its
   * running statistics nor uses the batch's, in training mode too. Returns the module.
   */
  freeze(): this {
    return this.#setFrozen(true);
  }

  unfreeze(): this {
    return this.#setFrozen(false);
  }

  #setFrozen(frozen: boolean): this {
    for (const module of this.namedModules().values()) module.frozen = frozen;
    for (const slot of this.parameters()) {
      slot.setRequiresGrad(!frozen);
      if (frozen) slot.clearGrad();
    }
    return this;
  }

  /**
   * Moves parameters, buffers and gradients to another backend: all are copied, then switched in one synchronous step. If it
   * fails, everything is where it was. An optimiser's state moves with `trainer.to`.
   */
  async to(backend: Backend): Promise<this> {
    await moveSlots(this.stateDict().values(), backend);
    return this;
  }

  /** Frees all parameters and buffers. */
  dispose(): void {
    for (const slot of this.stateDict().values()) slot.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The tree of modules with their settings, as PyTorch prints it. */
  toString(): string {
    const { name } = this.constructor;
    const children = [...this.namedChildren()];
    if (children.length === 0) return `${name}(${this.describe()})`;
    const lines = children.map(([child, module]) => `(${child}): ${module.toString()}`);
    const body = lines.join('\n').replaceAll('\n', '\n  ');
    return `${name}(${this.describe()}\n  ${body}\n)`;
  }
}

/** The module that holds the one at `path`, and the name it has there. */
function parentOf(root: Module, path: string): { parent: Module; name: string; child: Module } {
  let parent = root;
  let rest = path;
  for (;;) {
    // A child's name may have a dot in it: an item of an array.
    const found = [...parent.namedChildren()].find(
      ([name]) => rest === name || rest.startsWith(`${name}.`),
    );
    if (!found) {
      const names = [...parent.namedChildren().keys()].join(', ') || 'none';
      throw new DataError(
        `no module at '${path}': ${parent.constructor.name} has no child for '${rest}'; its children: ${names}`,
      );
    }
    const [name, child] = found;
    if (rest === name) return { parent, name, child };
    parent = child;
    rest = rest.slice(name.length + 1);
  }
}
