// Names of classes in the order of the outputs.

import type { ClassSet } from './weights.ts';

export const digits: readonly string[] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

// prettier-ignore
const cifar10 = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

// prettier-ignore
export const fashion: readonly string[] = ['T-shirt/top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'];

/** ImageNet's by the first of their names. Null for sets whose names do not come along. */
export async function classNames(set: ClassSet): Promise<readonly string[] | null> {
  if (set === 'imagenet-1k') return (await import('./class-names/imagenet.ts')).imagenetNames;
  if (set === 'cifar-10') return cifar10;
  if (set === 'fashion-mnist') return fashion;
  return set === 'mnist' ? digits : null;
}
