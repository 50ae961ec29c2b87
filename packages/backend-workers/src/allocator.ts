// Who owns which part of the heap: a two-level segregated fit (Masmano et al., "TLSF: a new dynamic memory allocator for
// real-time systems", ECRTS 2004) whose bookkeeping is JavaScript objects, so that nothing here touches the memory itself.
// Neighbours that are free are always merged, a request takes the best bin that surely fits, and either takes constant time.

import { BackendError } from '@convoke/backend-api';

/** A piece of the engine's memory. */
export interface Block {
  readonly address: number;
  /** As asked for. */
  readonly bytes: number;
}

export interface AllocatorTotals {
  /** Of blocks in use, with rounding and padding. */
  readonly usedBytes: number;
  /** What the heap has grown to. */
  readonly heapBytes: number;
  /** What it may grow to. */
  readonly limitBytes: number;
  readonly blocks: number;
}

export interface HeapOptions {
  /** First address, a multiple of 64. */
  readonly start: number;
  /** Address the heap never passes. */
  readonly limit: number;
  /** Makes memory up to `end` usable; returns false where the machine does not give it. */
  readonly grow: (end: number) => boolean;
}

const UNIT = 64;
/** Kernels may read so far beyond the end of a block. */
const PADDING = 64;
const LINEAR_BINS = 16;
const BINS = (27 - 3) * 16;
/** Grow by at least so much, and by a quarter of the heap, while the limit allows. */
const LEAST_GROWTH = (4 * 2 ** 20) / UNIT;
/** Segments of the request's own bin that are looked at before a larger bin is taken. */
const GLANCES = 4;

/** A stretch of the heap in units of 64 bytes, linked to its neighbours in memory and, while free, in its bin. */
class Segment implements Block {
  start: number;
  units: number;
  bytes = 0;
  free = true;
  /** Commands up to this sequence number may still use the memory; the caller may write to it once they have run. */
  busyUntil: number;
  before: Segment | null = null;
  after: Segment | null = null;
  binBefore: Segment | null = null;
  binAfter: Segment | null = null;

  constructor(start: number, units: number, busyUntil: number) {
    this.start = start;
    this.units = units;
    this.busyUntil = busyUntil;
  }

  get address(): number {
    return this.start * UNIT;
  }
}

function binOf(units: number): number {
  if (units < LINEAR_BINS) return units;
  const exponent = 31 - Math.clz32(units);
  return (exponent - 3) * 16 + ((units >>> (exponent - 4)) & 15);
}

/** The first bin whose every segment has at least `units`. */
function fittingBin(units: number): number {
  if (units < LINEAR_BINS) return units;
  const step = 2 ** (27 - Math.clz32(units));
  return binOf(units + step - 1);
}

export class Allocator {
  readonly #start: number;
  readonly #limit: number;
  readonly #grow: (end: number) => boolean;
  readonly #bins: (Segment | null)[] = Array.from({ length: BINS }, () => null);
  readonly #occupied = new Int32Array(BINS / 32);
  #last: Segment | null = null;
  #end: number;
  #usedUnits = 0;
  #blocks = 0;

  constructor({ start, limit, grow }: HeapOptions) {
    this.#start = this.#end = Math.ceil(start / UNIT);
    this.#limit = Math.floor(limit / UNIT);
    this.#grow = grow;
  }

  get totals(): AllocatorTotals {
    return {
      usedBytes: this.#usedUnits * UNIT,
      heapBytes: (this.#end - this.#start) * UNIT,
      limitBytes: (this.#limit - this.#start) * UNIT,
      blocks: this.#blocks,
    };
  }

  /**
   * Memory for `bytes` at a 64-byte boundary, with 64 bytes behind it that nobody writes to. Throws a BackendError
   * `backend-memory`, with nothing changed, where it cannot be had. `purpose` begins its message.
   */
  allocate(bytes: number, purpose = 'allocate'): Block {
    const units = Math.ceil((bytes + PADDING) / UNIT);
    const segment = this.#find(units) ?? this.#extend(units);
    if (!segment) throw this.#shortage(bytes, purpose);
    this.#unlink(segment);
    this.#split(segment, units);
    segment.free = false;
    segment.bytes = bytes;
    this.#usedUnits += segment.units;
    this.#blocks++;
    return segment;
  }

  /** Ends the use of a block; commands up to `busyUntil` may still touch it. */
  free(block: Block, busyUntil = 0): void {
    const segment = block as Segment;
    if (segment.free) throw new Error(`block at ${segment.address} was freed twice`);
    this.#usedUnits -= segment.units;
    this.#blocks--;
    segment.busyUntil = Math.max(segment.busyUntil, busyUntil);
    segment.free = true;
    const { before, after } = segment;
    if (after?.free) {
      this.#unlink(after);
      this.#absorb(segment, after);
    }
    if (before?.free) {
      this.#unlink(before);
      this.#absorb(before, segment);
      this.#link(before);
    } else {
      this.#link(segment);
    }
  }

  /** The sequence number after which no earlier use of the block's memory is left. */
  busyUntil(block: Block): number {
    return (block as Segment).busyUntil;
  }

  /** Bytes of the largest block that could be had without growing. */
  largestFree(): number {
    let most = 0;
    for (let segment = this.#last; segment; segment = segment.before) {
      if (segment.free) most = Math.max(most, segment.units);
    }
    return Math.max(0, most * UNIT - PADDING);
  }

  #find(units: number): Segment | null {
    const own = this.#bins[binOf(units)] ?? null;
    let glances = GLANCES;
    for (let segment = own; segment && glances > 0; segment = segment.binAfter, glances--) {
      if (segment.units >= units) return segment;
    }
    const fitting = this.#firstOccupied(fittingBin(units));
    if (fitting) return fitting;
    for (let segment = own; segment; segment = segment.binAfter) {
      if (segment.units >= units) return segment;
    }
    return null;
  }

  #firstOccupied(bin: number): Segment | null {
    let word = bin >>> 5;
    let bits = this.#occupied[word]! & (-1 << (bin & 31));
    while (bits === 0) {
      if (++word >= this.#occupied.length) return null;
      bits = this.#occupied[word]!;
    }
    return this.#bins[word * 32 + 31 - Math.clz32(bits & -bits)]!;
  }

  /** Grows the heap so that its last segment is free and has `units`. */
  #extend(units: number): Segment | null {
    const last = this.#last?.free ? this.#last : null;
    const missing = units - (last?.units ?? 0);
    const room = this.#limit - this.#end;
    if (missing > room) return null;
    const generous = Math.max(missing, LEAST_GROWTH, Math.ceil((this.#end - this.#start) / 4));
    const amount = [Math.min(generous, room), missing].find((growth) =>
      this.#grow((this.#end + growth) * UNIT),
    );
    if (amount === undefined) return null;
    const fresh = new Segment(this.#end, amount, 0);
    this.#end += amount;
    if (last) {
      this.#unlink(last);
      last.units += amount;
      this.#link(last);
      return last;
    }
    fresh.before = this.#last;
    if (this.#last) this.#last.after = fresh;
    this.#last = fresh;
    this.#link(fresh);
    return fresh;
  }

  /** Leaves `units` to the segment; what is over becomes a free segment. */
  #split(segment: Segment, units: number): void {
    const over = segment.units - units;
    if (over === 0) return;
    const rest = new Segment(segment.start + units, over, segment.busyUntil);
    segment.units = units;
    rest.before = segment;
    rest.after = segment.after;
    if (segment.after) segment.after.before = rest;
    else this.#last = rest;
    segment.after = rest;
    this.#link(rest);
  }

  /** Joins `second`, which follows `first` in memory, to it. Neither is in a bin. */
  #absorb(first: Segment, second: Segment): void {
    first.units += second.units;
    first.busyUntil = Math.max(first.busyUntil, second.busyUntil);
    first.after = second.after;
    if (second.after) second.after.before = first;
    else this.#last = first;
  }

  #link(segment: Segment): void {
    const bin = binOf(segment.units);
    const head = this.#bins[bin]!;
    segment.binBefore = null;
    segment.binAfter = head;
    if (head) head.binBefore = segment;
    this.#bins[bin] = segment;
    this.#occupied[bin >>> 5]! |= 1 << (bin & 31);
  }

  #unlink(segment: Segment): void {
    const { binBefore, binAfter } = segment;
    if (binAfter) binAfter.binBefore = binBefore;
    if (binBefore) {
      binBefore.binAfter = binAfter;
      return;
    }
    const bin = binOf(segment.units);
    this.#bins[bin] = binAfter;
    if (!binAfter) this.#occupied[bin >>> 5]! &= ~(1 << (bin & 31));
  }

  #shortage(bytes: number, purpose: string): BackendError {
    const { usedBytes, heapBytes, limitBytes, blocks } = this.totals;
    return new BackendError(
      'backend-memory',
      `${purpose}: no room for ${bytes} bytes: ${blocks} blocks hold ${usedBytes} of ${heapBytes} bytes, the largest free block has ${this.largestFree()}, and the memory may grow to ${limitBytes}. Dispose tensors that are no longer needed, use smaller batches, or create the backend with a larger maxMemory`,
    );
  }
}
