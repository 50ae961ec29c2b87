// Modules made of others: one after another, beside a shortcut, side by side.

import {
  add,
  concat,
  DataError,
  formatShape,
  sameShape,
  scope,
  ShapeError,
  type Tensor,
} from '@convoke/core';

import { Module } from '../module.ts';

/** In a list, named '0', '1', ...; or by names of your own. */
export type Modules = readonly Module[] | Readonly<Record<string, Module>>;

/** Children kept in a map, so that their names are free. */
abstract class Container extends Module {
  readonly #children: Map<string, Module>;

  constructor(modules: Modules) {
    super();
    this.#children = new Map(Object.entries(modules));
    for (const [name, module] of this.#children) {
      if (module instanceof Module) continue;
      throw new DataError(
        `${new.target.name}: '${name}' is no module; expected a list of modules, or an object of them`,
      );
    }
  }

  override namedChildren(): Map<string, Module> {
    return new Map(this.#children);
  }

  protected override setChild(name: string, module: Module): void {
    this.#children.set(name, module);
  }

  get modules(): Module[] {
    return [...this.#children.values()];
  }
}

/** Each module takes what the one before gives. */
export class Sequential extends Container {
  override forward(x: Tensor): Tensor {
    const [first, ...rest] = this.modules;
    if (!first) throw new DataError('Sequential: there are no modules in it; add Identity');
    return scope(() => rest.reduce((value, module) => module.forward(value), first.forward(x)));
  }
}

/** Every module takes the same input; what they give is joined along the channels. */
export class Branches extends Container {
  override forward(x: Tensor): Tensor {
    return scope(() =>
      concat(
        this.modules.map((module) => module.forward(x)),
        { axis: 1 },
      ),
    );
  }
}

export interface ResidualConfig {
  readonly body: Module;
  /** Default: the input itself. */
  readonly shortcut?: Module | undefined;
  /** After the sum. Default: none. */
  readonly activation?: Module | undefined;
}

/** body(x) + shortcut(x) (He et al. 2015, arXiv:1512.03385). */
export class Residual extends Module {
  readonly body: Module;
  readonly shortcut: Module | null;
  readonly activation: Module | null;

  constructor({ body, shortcut, activation }: ResidualConfig) {
    super();
    this.body = body;
    this.shortcut = shortcut ?? null;
    this.activation = activation ?? null;
  }

  /** Throws a ShapeError where the two shapes differ. */
  override forward(x: Tensor): Tensor {
    return scope(() => {
      const y = this.body.forward(x);
      const straight = this.shortcut ? this.shortcut.forward(x) : x;
      if (!sameShape(y.shape, straight.shape)) {
        throw new ShapeError(
          `Residual: the body gives ${formatShape(y.shape)}, the shortcut ${formatShape(straight.shape)}; give a shortcut that changes channels and size as the body does`,
        );
      }
      const sum = add(y, straight);
      return this.activation ? this.activation.forward(sum) : sum;
    });
  }
}
