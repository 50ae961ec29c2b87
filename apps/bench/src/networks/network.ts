// What a network of the training benchmark is: parameters with PyTorch's names and shapes, and a step of plain gradient descent.

export type Shapes = Readonly<Record<string, readonly number[]>>;

export interface Network {
  readonly name: 'lenet5' | 'resnet20';
  /** Channels and side of its square images. */
  readonly channels: number;
  readonly imageSize: number;
  readonly classes: number;
  readonly learningRate: number;
  /** Shape of each parameter, in the order of the flat list of gradients. */
  readonly parameters: Shapes;
}

export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/**
 * The gradient by which a step of plain gradient descent changed the parameters, as one list. `after` gives a parameter's values,
 * in PyTorch's layout, by its name.
 */
export function gradientOfStep(
  { parameters, learningRate }: Network,
  before: ReadonlyMap<string, Float32Array>,
  after: (name: string) => ArrayLike<number>,
): Float32Array {
  return Float32Array.from(
    Object.keys(parameters).flatMap((name) => {
      const values = after(name);
      return Array.from(before.get(name)!, (old, i) => (old - values[i]!) / learningRate);
    }),
  );
}
