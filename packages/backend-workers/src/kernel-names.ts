// Kernels by name and by their number in the dispatch table.

import { kernelNames, type KernelName } from './generated/kernels.ts';

export type { KernelName } from './generated/kernels.ts';

const numbers = new Map(kernelNames.map((name, number) => [name, number]));

export function kernelNumber(name: KernelName): number {
  return numbers.get(name)!;
}

export function kernelName(number: number): string {
  return kernelNames[number] ?? `kernel ${number}`;
}
