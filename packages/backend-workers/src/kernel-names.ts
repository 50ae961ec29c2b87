// Kernels by name and by their number in the dispatch table.

import { kernelNumbers, type KernelName } from './generated/kernels.ts';

export type { KernelName } from './generated/kernels.ts';

export function kernelNumber(name: KernelName): number {
  return kernelNumbers[name];
}

export function kernelName(number: number): string {
  for (const name in kernelNumbers) {
    if (kernelNumbers[name as KernelName] === number) return name;
  }
  return `kernel ${number}`;
}
