// Memory of the late backend, as hostile as a device's may be: images lie channels-last with channels and rows padded, every
// cell that no element owns holds garbage, and freed memory is overwritten with it.

import { allocate, type Data, type Dtype, type Spec } from '@convoke/backend-api';

const garbage: Readonly<Record<Dtype, number>> = {
  float32: NaN,
  int32: 0x5a5a5a5a,
  uint8: 0x5a,
  bool: 0x5a,
};

export class Storage {
  /** The spec it was first written under; a reshape reads the same cells under another. */
  readonly spec: Spec;
  /** Live handles on it. */
  holders = 0;
  failure: Error | null = null;
  #cells: Data | null = null;

  constructor(spec: Spec) {
    this.spec = spec;
  }

  /** Number of cells, and the cell of each element in C order. */
  #layout(): { size: number; cellOf: (flat: number) => number } {
    const { shape } = this.spec;
    const elements = shape.reduce((a, b) => a * b, 1);
    if (shape.length !== 4) return { size: elements + 3, cellOf: (flat) => flat + 1 };
    const [n, c, h, w] = shape as [number, number, number, number];
    const channels = Math.ceil(c / 4) * 4;
    const columns = w + 1;
    return {
      size: n * h * columns * channels,
      cellOf(flat) {
        const column = flat % w;
        const row = Math.floor(flat / w) % h;
        const channel = Math.floor(flat / (w * h)) % c;
        const image = Math.floor(flat / (w * h * c));
        return ((image * h + row) * columns + column) * channels + channel;
      },
    };
  }

  write(data: ArrayLike<number>): void {
    const { size, cellOf } = this.#layout();
    this.#cells = allocate(this.spec.dtype, size).fill(garbage[this.spec.dtype]);
    for (let i = 0; i < data.length; i++) this.#cells[cellOf(i)] = data[i]!;
  }

  /** The elements in C order. */
  read(): Data {
    const { cellOf } = this.#layout();
    const elements = this.spec.shape.reduce((a, b) => a * b, 1);
    return allocate(this.spec.dtype, elements).map((_, i) => this.#cells![cellOf(i)]!);
  }

  /** Leaves garbage behind: whoever still reads it finds out. */
  destroy(): void {
    this.#cells?.fill(garbage[this.spec.dtype]);
  }
}
