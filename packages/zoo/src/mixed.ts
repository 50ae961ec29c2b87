// A block whose children have names of their own choosing, whatever the way data takes among them. Weight files name the
// parts of Inception's blocks in one flat list, so a path through them is written as a list of names.

import { concat, scope, type Tensor } from '@convoke/core';
import { Module } from '@convoke/nn';

/** A child, children side by side whose outputs are joined, or an operation without parameters. */
type Step<Name extends string> = Name | readonly Name[] | ((x: Tensor) => Tensor);

/** Steps one after another. */
export type Path<Name extends string> = readonly Step<Name>[];

/** Paths that take the same input; what they give is joined along the channels. */
export type Stage<Name extends string> = readonly Path<Name>[];

/** Stages one after another. */
export class Mixed<Name extends string = string> extends Module {
  readonly #children: Map<string, Module>;
  readonly #stages: readonly Stage<Name>[];

  constructor(modules: Readonly<Record<Name, Module>>, ...stages: readonly Stage<Name>[]) {
    super();
    this.#children = new Map(Object.entries<Module>(modules));
    this.#stages = stages;
  }

  override namedChildren(): Map<string, Module> {
    return new Map(this.#children);
  }

  protected override setChild(name: string, module: Module): void {
    this.#children.set(name, module);
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const child = (from: Tensor, name: Name): Tensor => this.#children.get(name)!.forward(from);
      const take = (from: Tensor, step: Step<Name>): Tensor => {
        if (typeof step === 'function') return step(from);
        if (typeof step === 'string') return child(from, step);
        return joined(step.map((name) => child(from, name)));
      };
      return this.#stages.reduce(
        (input, paths) => joined(paths.map((path) => path.reduce(take, input))),
        x,
      );
    });
  }
}

function joined(tensors: readonly Tensor[]): Tensor {
  const [first, ...rest] = tensors;
  return rest.length === 0 ? first! : concat(tensors, { axis: 1 });
}
