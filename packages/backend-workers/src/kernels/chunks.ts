// How products and convolutions are split over threads. Bounds of chunks never change a result (assembly/tiles.ts), so they
// may depend on the number of threads.

/** Multiply-adds that take about 20 us on one thread: no chunk should be smaller. */
const LEAST_WORK = 500_000;
const CHUNKS_PER_THREAD = 6;

/** How many chunks to make of so many multiply-adds. */
export function chunkCount(threads: number, multiplyAdds: number): number {
  if (threads === 1) return 1;
  return Math.max(1, Math.min(threads * CHUNKS_PER_THREAD, Math.floor(multiplyAdds / LEAST_WORK)));
}

export interface Split {
  readonly perChunk: number;
  readonly chunks: number;
}

/**
 * About `wanted` chunks of whole multiples of `unit`: of those half as large to twice as large the ones that leave the
 * threads idle least, if all chunks take the same time. (11 chunks on 2 threads waste a twelfth; 10 or 12 do not.)
 */
export function split(length: number, wanted: number, unit: number, threads: number): Split {
  const units = Math.ceil(length / unit);
  if (wanted <= 1 || units <= 1) return { perChunk: Math.max(1, units) * unit, chunks: units && 1 };
  let best = 0;
  let least = Infinity;
  const largest = Math.ceil((2 * units) / wanted);
  for (let size = Math.max(1, Math.floor(units / (2 * wanted))); size <= largest; size++) {
    const chunks = Math.ceil(units / size);
    const rounds = Math.ceil(chunks / threads);
    // A chunk costs a little by itself: of equal ones take the larger.
    const time = rounds * (size + units / 5000);
    if (time <= least) {
      least = time;
      best = size;
    }
  }
  return { perChunk: best * unit, chunks: Math.ceil(units / best) };
}

/** Rows of tiles of either height, 4 and 6, without a remainder. */
const ROW_UNIT = 12;
const PANEL = 8;

/**
 * Splits a product's rows and columns. Few rows and many columns: by columns, so that each chunk reads its share of the
 * right factor once. Else by rows, and by columns where there are not rows enough.
 */
export function splitProduct(
  rows: number,
  columns: number,
  wanted: number,
  threads: number,
): { readonly rows: Split; readonly columns: Split } {
  if (rows <= 200 && columns >= 128) {
    const first = split(columns, wanted, PANEL, threads);
    return {
      columns: first,
      rows: split(rows, Math.floor(wanted / first.chunks), ROW_UNIT, threads),
    };
  }
  const first = split(rows, wanted, ROW_UNIT, threads);
  return {
    rows: first,
    columns: split(columns, Math.floor(wanted / first.chunks), PANEL, threads),
  };
}
