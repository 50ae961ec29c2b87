// The yardstick of the kernels: a WebAssembly loop of 128-bit multiply-adds that never leaves the registers. No WebAssembly code
// of one thread computes faster on this machine; native code with wider registers may.

export interface Peak {
  /** Floating-point operations of one run. */
  readonly flops: number;
  /** Whether multiply and add are one instruction. */
  readonly fused: boolean;
  run(): void;
}

/** Independent sums, enough that none is waited for, and few enough for the registers. */
const SUMS = 12;
const LANES = 4;
const ROUNDS = 100_000;

// Byte codes of the WebAssembly specification, with those of SIMD and relaxed SIMD behind the prefix 0xfd.
const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
const LOOP = [0x03, 0x40];
const END = 0x0b;
const SPLAT = [0xfd, 0x13];
const ADD = [0xfd, 0xe4, 0x01];
const MULTIPLY = [0xfd, 0xe6, 0x01];
const MULTIPLY_ADD = [0xfd, 0x85, 0x02];
const FIRST_LANE = [0xfd, 0x1f, 0];
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];

/** A length below 2 ** 14 in two bytes, and what it is the length of. */
const sized = (body: readonly number[]): number[] => [
  (body.length & 127) | 128,
  body.length >> 7,
  ...body,
];
const section = (id: number, body: readonly number[]): number[] => [id, ...sized(body)];

/** `peak(rounds, x, y)`: the sum of all lanes of the loop's sums, so that none of them is dead code. */
function moduleBytes(fused: boolean): Uint8Array<ArrayBuffer> {
  const [rounds, x, y] = [0, 3, 4];
  const sums = Array.from({ length: SUMS }, (_, i) => 5 + i);
  // Two instructions take turns with the sum as a factor: x * y would be the same for all, and computed once.
  const step = fused
    ? (sum: number) => [...get(x), ...get(y), ...get(sum), ...MULTIPLY_ADD, ...set(sum)]
    : (sum: number) => [...get(sum), ...get(x), ...MULTIPLY, ...get(y), ...ADD, ...set(sum)];
  const code = [
    [1, 2 + SUMS, V128],
    [get(1), SPLAT, set(x), get(2), SPLAT, set(y)],
    // The sums begin apart, at float32 constants from 1 on: equal ones would be computed once.
    sums.map((sum, i) => [[0x43, 0, 0, 0x80 + i, 0x3f], SPLAT, set(sum)]),
    LOOP,
    sums.map(step),
    // rounds -= 1; again unless 0.
    [get(rounds), 0x41, 1, 0x6b, 0x22, rounds, 0x0d, 0],
    END,
    get(sums[0]!),
    sums.slice(1).map((sum) => [get(sum), ADD]),
    FIRST_LANE,
    END,
  ].flat(4) as number[];
  return Uint8Array.from(
    [
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, [1, 0x60, 3, I32, F32, F32, 1, F32]),
      section(3, [1, 0]),
      section(7, [1, 4, ...new TextEncoder().encode('peak'), 0, 0]),
      section(10, [1, ...sized(code)]),
    ].flat(),
  );
}

/** The loop in its fused form where this runtime has one. */
export function peakLoop(): Peak {
  const fusedBytes = moduleBytes(true);
  const fused = WebAssembly.validate(fusedBytes);
  const module = new WebAssembly.Module(fused ? fusedBytes : moduleBytes(false));
  const { peak } = new WebAssembly.Instance(module).exports as {
    peak(rounds: number, x: number, y: number): number;
  };
  return {
    flops: ROUNDS * SUMS * LANES * 2,
    fused,
    run() {
      // Factors that let the sums neither grow without end nor become denormal.
      const sum = fused ? peak(ROUNDS, 0.001, 0.001) : peak(ROUNDS, 0.5, 1);
      if (!(sum > 0)) throw new Error(`the peak loop gave ${sum}`);
    },
  };
}
