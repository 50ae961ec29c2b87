// Numbers that an optimiser keeps on the host (step counts, learning rate, momentum) in the form of slots, so that they are
// saved and restored with the rest of its state. They are never an op's input, can be read at once on any backend, and stay
// on the host when the other slots move.

import {
  BackendError,
  Slot,
  SPEC_VERSION,
  type Backend,
  type Data,
  type Handle,
} from '@convoke/core';

interface HostHandle extends Handle {
  readonly data: Data;
}

/** Holds and gives back; computes nothing. */
const host: Backend = {
  name: 'host',
  specVersion: SPEC_VERSION,
  capabilities: {
    dtypes: ['int32'],
    epsilon: 2 ** -53,
    nonFinite: true,
    checksIndices: true,
    maxBytes: null,
    readSync: true,
    threads: 1,
    deterministic: true,
  },
  upload: ({ shape, dtype }, data): HostHandle => ({ spec: { shape, dtype }, data: data.slice() }),
  run(op) {
    throw new BackendError(
      'backend-unsupported',
      `${op}: an optimiser's counters and settings are numbers on the host, not inputs of ops; read them with await slot.data()`,
    );
  },
  supports: () => false,
  read: (handle) => Promise.resolve((handle as HostHandle).data.slice()),
  readSync: (handle) => (handle as HostHandle).data.slice(),
  retain: () => undefined,
  release: () => undefined,
  sync: () => Promise.resolve(),
  memory: () => ({ handles: 0, bytes: 0 }),
  onLost: () => () => undefined,
  dispose: () => undefined,
};

class HostSlot extends Slot {
  constructor(shape: readonly number[], data: Int32Array) {
    super(host, host.upload({ shape, dtype: 'int32' }, data));
  }

  protected read(): Int32Array {
    return this.dataSync() as Int32Array;
  }

  protected write(data: Int32Array): void {
    this.replace(host, host.upload(this.spec, data));
  }

  /** The value stays on the host; the copy made elsewhere is given back. */
  override moveTo(backend: Backend, handle: Handle): void {
    backend.release(handle);
  }
}

/** A whole number: int32, rank 0. */
export class CountSlot extends HostSlot {
  constructor(value: number) {
    super([], Int32Array.of(value));
  }

  get value(): number {
    return this.read()[0]!;
  }

  set value(value: number) {
    this.write(Int32Array.of(value));
  }
}

/** A float64, kept to the last bit as its two int32 words, low word first. */
export class NumberSlot extends HostSlot {
  constructor(value: number) {
    super([2], wordsOf(value));
  }

  get value(): number {
    const [low, high] = this.read();
    const view = new DataView(new ArrayBuffer(8));
    view.setInt32(0, low!, true);
    view.setInt32(4, high!, true);
    return view.getFloat64(0, true);
  }

  set value(value: number) {
    this.write(wordsOf(value));
  }
}

function wordsOf(value: number): Int32Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return Int32Array.of(view.getInt32(0, true), view.getInt32(4, true));
}
