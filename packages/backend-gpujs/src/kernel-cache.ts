// Compiled kernels by their keys. Compiling costs 20 to 85 ms in a browser, a GPU keeps programs for long: the cache is
// bounded, and what was used longest ago goes first.

import type { Kernel } from './device.ts';

export class KernelCache {
  readonly #most: number;
  readonly #kernels = new Map<string, Kernel>();
  readonly #watchers = new Set<(compiled: number) => void>();
  compiled = 0;
  evicted = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#kernels.size;
  }

  get(key: string, compile: () => Kernel): Kernel {
    let kernel = this.#kernels.get(key);
    if (kernel) {
      // Setting a key anew makes it the most recent of the map.
      this.#kernels.delete(key);
    } else {
      kernel = compile();
      this.compiled++;
      for (const watcher of this.#watchers) watcher(this.compiled);
    }
    this.#kernels.set(key, kernel);
    for (const [oldest, other] of this.#kernels) {
      if (this.#kernels.size <= this.#most) break;
      this.#kernels.delete(oldest);
      other.dispose();
      this.evicted++;
    }
    return kernel;
  }

  /** Calls `watcher` whenever a kernel is made; returns how to stop. */
  watch(watcher: (compiled: number) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  clear(): void {
    for (const kernel of this.#kernels.values()) kernel.dispose();
    this.#kernels.clear();
  }
}
