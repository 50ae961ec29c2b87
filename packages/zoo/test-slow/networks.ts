// Every network of the zoo on one backend: what test/families.test.ts leaves out for its time.

import { fileURLToPath } from 'node:url';

import { beforeAll, describe, test } from 'vitest';

import type { Precision } from '../src/golden.ts';
import { describeArchitecture, type ArchitectureCase } from '../src/testkit.ts';
import { useBackend } from '../test/architectures/lab.ts';
import { architecturesIn } from '../test/architectures.ts';
import { goldenOf, smallestOf } from '../test/fixtures.ts';

/** Networks with more parameters compute on their smallest input only. */
const LARGE = 15e6;

interface Sweep {
  readonly backend: 'js' | 'workers';
  readonly precision: Precision;
  /** Whether networks that are large compute too. */
  readonly large: boolean;
}

export async function describeNetworks({ backend, precision, large }: Sweep): Promise<void> {
  const folder = fileURLToPath(new URL('../src/architectures/', import.meta.url));
  beforeAll(async () => {
    await useBackend(backend, backend === 'workers' ? { precision } : undefined);
  });
  const golden = (name: string) => {
    const network = goldenOf(name);
    return network && network.params > LARGE ? smallestOf(network) : network;
  };
  const select = ({ id, computes, params }: ArchitectureCase): boolean => {
    if (!computes) return false;
    // Saving and freezing are no backend's business: once, and of networks that fit thrice into memory.
    if (!id.includes('PyTorch')) return large && params <= 4 * LARGE;
    return large || params <= LARGE;
  };
  for (const architecture of await architecturesIn(folder)) {
    describeArchitecture({ describe, test }, architecture, { golden, precision, select });
  }
}
