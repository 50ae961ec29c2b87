// What the figures were measured on.

import { availableParallelism, cpus, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}

export function facts({ cpu, cores, memoryGiB, platform, node }: Machine): string[] {
  const counted = `${cores} core${cores === 1 ? '' : 's'}`;
  return [cpu, counted, `${memoryGiB} GiB`, platform, `Node ${node}`];
}
