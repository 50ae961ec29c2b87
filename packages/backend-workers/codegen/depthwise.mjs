// Depthwise convolution of NHWC images, four channels at a time: forward, and both gradients.
//
// Rolling: along a row of stride 1 each input element is loaded once and added to the K outputs it belongs to, of which the
// running sums stay in registers (31-43 GFLOP/s for 3x3 on a core that peaks at 58). Wide rows go in pieces: what is read and
// written of them stays in the first cache while the channels of a cache line take their turns. Strided: any stride and
// dilation, one output at a time. Spread: the gradient of the input for stride 2, which touches only the taps that meet an
// element. General: all else, with a multiplier and with zeros between input elements.
// Filters are packed [C/4][taps][4] (general: [C/4][taps][shares][4]), zeros where C ends.

const range = (n) => Array.from({ length: n }, (_, i) => i);
const lines = (n, f) => range(n).map(f).join('\n');

/** The words that the forward kernels share; `h`, `w` are what is read, `outH`, `outW` what is written. */
const words = (chunk) => `
  const x: usize = load<u32>(a), zero: usize = load<u32>(a, 4), filter: usize = load<u32>(a, 8);
  const bias: usize = load<u32>(a, 12), residual: usize = load<u32>(a, 16), y: usize = load<u32>(a, 20);
  const c = load<i32>(a, 24), h = load<i32>(a, 28), w = load<i32>(a, 32), outH = load<i32>(a, 36), outW = load<i32>(a, 40);
  const top = load<i32>(a, 44), left = load<i32>(a, 48);
  const strideY = load<i32>(a, 52), strideX = load<i32>(a, 56), stepY = load<i32>(a, 60), stepX = load<i32>(a, 64);
  const firstRow = ${chunk} * load<i32>(a, 72), endRow = min(firstRow + load<i32>(a, 72), load<i32>(a, 68));
  const lo = f32x4.splat(load<f32>(a, 76)), hi = f32x4.splat(load<f32>(a, 80));
  const pixel: usize = <usize>c << 2;
  const difference: usize = residual - y;`;

const WORDS_NOTE = `// Arguments: x, zeros (a row), filter, bias, residual or 0, y, channels, height and width read, height and width
// written, padding top and left, stride y and x, dilation y and x, rows (images * height), rows per chunk, lower and
// upper bound.`;

/** Row pointers r0.. of the K rows that output row \`row\` reads; zeros where there is none. */
const rowPointers = (K) => `    const image = row / outH, outY = row % outH;
    const plane: usize = x + <usize>(image * h) * w * pixel;
    let inY = outY * strideY - top;
${lines(
  K,
  (k) =>
    `    const r${k}: usize = inY >= 0 && inY < h ? plane + <usize>(inY * w) * pixel : zero;${k < K - 1 ? ' inY += stepY;' : ''}`,
)}`;

const FINISH = `
// @ts-ignore: decorator
@inline
function finish(to: usize, sum: v128, lanes: i32, residual: usize, difference: usize, lo: v128, hi: v128): void {
  if (residual) sum = f32x4.add(sum, v128.load(to + difference));
  storeLanes(to, f32x4.pmin(f32x4.pmax(sum, lo), hi), lanes);
}
// @ts-ignore: decorator
@inline
function storeLanes(to: usize, value: v128, lanes: i32): void {
  if (lanes >= 4) v128.store(to, value);
  else storeSome(to, value, lanes);
}
function storeSome(to: usize, value: v128, lanes: i32): void {
  v128.store32_lane(to, value, 0);
  if (lanes > 1) v128.store32_lane(to, value, 1, 4);
  if (lanes > 2) v128.store32_lane(to, value, 2, 8);
}
`;

function rolling(K) {
  const last = K - 1;
  const shift = `${range(K - 2)
    .map((i) => `s${i} = s${i + 1};`)
    .join(' ')} s${K - 2} = start;`;
  const emit = 'finish(to, s0, lanes, residual, difference, lo, hi); to += pixel;';
  // Column k of the filter goes with the sum that still lacks k columns to its left.
  const step = `
        let fresh = start;
${lines(
  K,
  (r) =>
    `        v = v128.load(p${r}); p${r} += pixel; ${range(K)
      .map((k) => {
        const target = k === 0 ? 'fresh' : `s${last - k}`;
        return `${target} = madd(v, w${r * K + k}, ${target});`;
      })
      .toReversed()
      .join(' ')}`,
)}`;
  const advance = `${range(K - 2)
    .map((i) => `s${i} = s${i + 1};`)
    .join(' ')} s${K - 2} = fresh;`;
  return `
// @kernel
// ${K} columns, stride and dilation 1 along x; ${K} rows. A chunk is a piece of its rows.
${WORDS_NOTE} Then pieces of a row, and columns of a piece.
export function depthwiseRolling${K}(a: usize, chunk: i32): void {
  const pieces = load<i32>(a, 84), columns = load<i32>(a, 88);
  const first = (chunk % pieces) * columns;${words('(chunk / pieces)')}
  // Steps of a piece: ${last} more than outputs; real input from \`from\` to \`end\`, zeros round it.
  const steps = min(columns, outW - first) + ${last}, before = left - first;
  const from = min(max(before, 0), steps), end = min(max(w + before, from), steps);
  const skip: usize = <usize>(from - before) * pixel;
  for (let row = firstRow; row < endRow; row++) {
${rowPointers(K)}
    let weights = filter;
    for (let channel: usize = 0; channel < pixel; channel += 16) {
      const lanes = <i32>((pixel - channel) >> 2);
      const start = v128.load(bias + channel);
${lines(K * K, (i) => `      const w${i} = v128.load(weights, ${i * 16});`)}
      weights += ${K * K * 16};
      let to: usize = y + <usize>(row * outW + first) * pixel + channel;
      const at = skip + channel;
${lines(K, (r) => `      let p${r}: usize = r${r} + at;`)}
${lines(K - 1, (i) => `      let s${i} = start;`)}
      let v: v128;
      let i = 0;
      for (; i < from; i++) {
        if (i >= ${last}) { ${emit} }
        ${shift}
      }
      for (; i < min(${last}, end); i++) {${step}
        ${advance}
      }
      for (; i < end; i++) {${step}
        ${emit}
        ${advance}
      }
      for (; i < steps; i++) {
        if (i >= ${last}) { ${emit} }
        ${shift}
      }
    }
  }
}
`;
}

/** Stride 2 along x: two columns a step, of which the first ends a sum. */
function rolling2(K) {
  const last = (K - 1) / 2;
  // Column k of step p belongs to output p - floor(k / 2), whose sum is the fresh one for k = 0 and 1.
  const sumOf = (k) => (k < 2 ? 'fresh' : `s${last - (k >> 1)}`);
  const column = (parity, load) =>
    lines(K, (r) => {
      const taps = range(K).filter((k) => k % 2 === parity);
      return `          v = ${load(r)}; ${taps
        .toReversed()
        .map((k) => `${sumOf(k)} = madd(v, w${r * K + k}, ${sumOf(k)});`)
        .join(' ')}`;
    });
  const advance = `${range(last - 1)
    .map((i) => `s${i} = s${i + 1};`)
    .join(' ')} s${last - 1} = fresh;`;
  const emit = 'finish(to, s0, lanes, residual, difference, lo, hi); to += pixel;';
  const guarded = `
        const inX = 2 * i - left;
        const at: usize = <usize>inX * pixel + channel;
        let fresh = start;
        if (inX >= 0 && inX < w) {
${column(0, (r) => `v128.load(r${r} + at)`)}
        }
        if (inX + 1 >= 0 && inX + 1 < w) {
${column(1, (r) => `v128.load(r${r} + at + pixel)`)}
        }
        if (i >= ${last}) { ${emit} }
        ${advance}`;
  return `
// @kernel
// ${K} columns, stride 2 and dilation 1 along x; ${K} rows.
${WORDS_NOTE}
export function depthwiseRolling${K}Stride2(a: usize, chunk: i32): void {${words('chunk')}
  const steps = outW + ${last};
  // Of steps from \`from\` to \`end\`, both columns are there.
  const from = min(steps, max(0, (left + 1) >> 1)), end = max(from, min(steps, (w + left) >> 1));
  for (let row = firstRow; row < endRow; row++) {
${rowPointers(K)}
    let weights = filter;
    for (let channel: usize = 0; channel < pixel; channel += 16) {
      const lanes = <i32>((pixel - channel) >> 2);
      const start = v128.load(bias + channel);
${lines(K * K, (i) => `      const w${i} = v128.load(weights, ${i * 16});`)}
      weights += ${K * K * 16};
      let to: usize = y + <usize>(row * outW) * pixel + channel;
${lines(last, (i) => `      let s${i} = start;`)}
      let v: v128;
      let i = 0;
      for (; i < min(steps, max(from, ${last})); i++) {${guarded}
      }
      let at: usize = <usize>(2 * i - left) * pixel + channel;
      for (; i < end; i++) {
        let fresh = start;
${column(0, (r) => `v128.load(r${r} + at)`)}
        at += pixel;
${column(1, (r) => `v128.load(r${r} + at)`)}
        at += pixel;
        ${emit}
        ${advance}
      }
      for (; i < steps; i++) {${guarded}
      }
    }
  }
}
`;
}

/** Which of two sums, that do not wait for each other, takes a row. */
const chain = (r) => (r % 2 ? 'sum1' : 'sum');

function strided(K) {
  return `
/** An output that misses some columns. Out of line: in the loop below, weights would not stay in registers. */
function edge${K}(
  ${range(K)
    .map((r) => `r${r}: usize`)
    .join(
      ', ',
    )}, weights: usize, sum: v128, inX: i32, w: i32, stepX: i32, pixel: usize, channel: usize,
): v128 {
  for (let k = 0; k < ${K}; k++, weights += 16, inX += stepX) {
    if (inX < 0 || inX >= w) continue;
    const at: usize = <usize>inX * pixel + channel;
${lines(K, (r) => `    sum = madd(v128.load(r${r} + at), v128.load(weights, ${r * K * 16}), sum);`)}
  }
  return sum;
}
// @kernel
// ${K} columns and rows, any stride and dilation.
${WORDS_NOTE}
export function depthwiseStrided${K}(a: usize, chunk: i32): void {${words('chunk')}
  // Outputs from \`from\` to \`end\` see all their columns.
  const from = min(outW, left > 0 ? (left + strideX - 1) / strideX : 0);
  const room = w - 1 - ${K - 1} * stepX + left;
  const end = max(from, min(outW, room < 0 ? 0 : room / strideX + 1));
  const step: usize = <usize>stepX * pixel, advance: usize = <usize>strideX * pixel;
  for (let row = firstRow; row < endRow; row++) {
${rowPointers(K)}
    let weights = filter;
    for (let channel: usize = 0; channel < pixel; channel += 16) {
      const lanes = <i32>((pixel - channel) >> 2);
      const start = v128.load(bias + channel);
      const line: usize = y + <usize>(row * outW) * pixel + channel;
      for (let i = 0; i < outW; i++) {
        if (i == from) i = end;
        if (i >= outW) break;
        const sum = edge${K}(${range(K)
          .map((r) => `r${r}`)
          .join(', ')}, weights, start, i * strideX - left, w, stepX, pixel, channel);
        finish(line + <usize>i * pixel, sum, lanes, residual, difference, lo, hi);
      }
      let to: usize = line + <usize>from * pixel;
${lines(K * K, (i) => `      const w${i} = v128.load(weights, ${i * 16});`)}
      weights += ${K * K * 16};
      let at: usize = <usize>(from * strideX - left) * pixel + channel;
${lines(K, (r) => `      let p${r}: usize = r${r} + at;`)}
      for (let i = from; i < end; i++) {
        let sum = start, sum1 = f32x4.splat(0);
        at = 0;
${lines(
  K,
  (k) =>
    `        ${range(K)
      .map((r) => `${chain(r)} = madd(v128.load(p${r} + at), w${r * K + k}, ${chain(r)});`)
      .join(' ')}${k < K - 1 ? ' at += step;' : ''}`,
)}
        ${range(K)
          .map((r) => `p${r} += advance;`)
          .join(' ')}
        finish(to, f32x4.add(sum, sum1), lanes, residual, difference, lo, hi);
        to += pixel;
      }
    }
  }
}
`;
}

/** One row of the gradient of the input: R rows of the gradient, each with its K taps. */
function spreadRow(K, R) {
  const pending = K === 3 ? ['even0'] : ['even0', 'odd0', 'even1'];
  const sum = (from, k) => range(R).reduce((acc, r) => `madd(v${r}, w${r}_${k}, ${acc})`, from);
  const products = (k) =>
    sum(`f32x4.mul(v0, w0_${k})`, k).replace(
      `madd(v0, w0_${k}, f32x4.mul(v0, w0_${k}))`,
      `f32x4.mul(v0, w0_${k})`,
    );
  const next =
    K === 3
      ? `even0 = ${products(2)};`
      : `even0 = ${sum('even1', 2)}; odd0 = ${products(3)}; even1 = ${products(4)};`;
  const odd = K === 3 ? products(1) : sum('odd0', 1);
  const guarded = `
    const inside = i >= 0 && i < w;
    const place = 2 * i - left;
    const at: usize = <usize>i * pixel + channel, target: usize = to + <usize>place * pixel + channel;
${lines(R, (r) => `    let v${r} = zero; if (inside) v${r} = v128.load(r${r} + at);`)}
    if (place >= 0 && place < outW) storeLanes(target, ${sum('even0', 0)}, lanes);
    if (place + 1 >= 0 && place + 1 < outW) storeLanes(target + pixel, ${odd}, lanes);
    ${next}`;
  return `
function spread${K}x${R}(
  ${range(R)
    .map((r) => `r${r}: usize, f${r}: usize`)
    .join(', ')},
  to: usize, pixel: usize, channel: usize, w: i32, outW: i32, left: i32,
): void {
  const lanes = <i32>((pixel - channel) >> 2);
${lines(R, (r) =>
  range(K)
    .map((k) => `  const w${r}_${k} = v128.load(f${r}, ${(K - 1 - k) * 16});`)
    .join(' '),
)}
  const zero = f32x4.splat(0);
${pending.map((p) => `  let ${p} = zero;`).join('\n')}
  const first = (left >> 1) - ${(K - 1) / 2}, end = ((outW - 1 + left) >> 1) + 1;
  // Between these, the element is there and so are both its places in the output.
  const innerFirst = max(0, (left + 1) >> 1), innerEnd = min(w, (outW + left) >> 1);
  let i = first;
  for (; i < min(end, innerFirst); i++) {${guarded}
  }
  let at: usize = <usize>i * pixel + channel;
  let target: usize = to + <usize>(2 * i - left) * pixel + channel;
  for (; i < innerEnd; i++) {
${lines(R, (r) => `    const v${r} = v128.load(r${r} + at);`)}
    at += pixel;
    storeLanes(target, ${sum('even0', 0)}, lanes);
    target += pixel;
    storeLanes(target, ${odd}, lanes);
    target += pixel;
    ${next}
  }
  for (; i < end; i++) {${guarded}
  }
}
`;
}

function spread(K) {
  const call = (R, parity) => {
    const rows = range(R).map((r) => {
      // Tap \`parity + 2 r\` meets row (outY + top - tap) / 2.
      return `      const i${r} = half - ${r};
      const r${r}: usize = i${r} >= 0 && i${r} < h ? plane + <usize>(i${r} * w) * pixel : zero;`;
    });
    const args = range(R).map((r) => `r${r}, weights + ${(K - 1 - parity - 2 * r) * K * 16}`);
    return `${rows.join('\n')}
      for (let channel: usize = 0; channel < pixel; channel += 16) {
        spread${K}x${R}(${args.join(', ')}, to, pixel, channel, w, outW, left);
        weights += ${K * K * 16};
      }`;
  };
  const even = (K + 1) / 2;
  const odd = (K - 1) / 2;
  return `${spreadRow(K, odd)}${spreadRow(K, even)}
// @kernel
// Gradient of the input for ${K}x${K}, stride 2, dilation 1, by the turned filter; x is the gradient of the output, y that of the input. Bias,
// residual, strides and bounds are not looked at.
${WORDS_NOTE}
export function depthwiseSpread${K}(a: usize, chunk: i32): void {${words('chunk')}
  for (let row = firstRow; row < endRow; row++) {
    const image = row / outH, reached = row % outH + top, half = reached >> 1;
    const plane: usize = x + <usize>(image * h) * w * pixel;
    const to: usize = y + <usize>(row * outW) * pixel;
    let weights = filter;
    if (reached & 1) {
${call(odd, 1)}
    } else {
${call(even, 0)}
    }
  }
}
`;
}

/** Adds to R * K sums the products of a row of the gradient with R rows of the input, at K columns each. */
function gatherSums(K, R) {
  return `
function tapSums${K}x${R}(
  count: i32, g: usize, pixel: usize, advance: usize, step: usize, ${range(R)
    .map((r) => `r${r}: usize`)
    .join(', ')}, sums: usize,
): void {
${lines(R * K, (i) => `  let s${i} = f32x4.splat(0);`)}
${lines(
  R,
  (r) =>
    `  let ${range(K)
      .map((k) => `p${r * K + k}: usize = r${r}${k ? ` + ${k} * step` : ''}`)
      .join(', ')};`,
)}
  for (let i = 0; i < count; i++) {
    const v = v128.load(g);
    g += pixel;
${lines(R * K, (i) => `    s${i} = madd(v, v128.load(p${i}), s${i}); p${i} += advance;`)}
  }
${lines(R * K, (i) => `  v128.store(sums, f32x4.add(v128.load(sums, ${i * 16}), s${i}), ${i * 16});`)}
}
`;
}

function filterGradient(K) {
  const groups =
    K === 3
      ? [[0, 3]]
      : [
          [0, 2],
          [2, 2],
          [4, 1],
        ];
  return `${[...new Set(groups.map(([, R]) => R))].map((R) => gatherSums(K, R)).join('')}
// @kernel
// Sums over some rows of the output, for ${K}x${K} taps of any stride and dilation: a chunk's sums [C/4][taps][4].
// Arguments: x, zeros (a row), gradient, sums, channels, height, width, height and width of the output, padding top and
// left, stride y and x, dilation y and x, rows (images * output height), rows per chunk.
export function depthwiseTapSums${K}(a: usize, chunk: i32): void {${GRADIENT_WORDS}
  const blocks = (c + 3) >> 2;
  const sums: usize = load<u32>(a, 12) + <usize>(chunk * blocks) * ${K * K * 16};
  memory.fill(sums, 0, blocks * ${K * K * 16});
  const from = min(outW, left > 0 ? (left + strideX - 1) / strideX : 0);
  const room = w - 1 - ${K - 1} * stepX + left;
  const end = max(from, min(outW, room < 0 ? 0 : room / strideX + 1));
  const step: usize = <usize>stepX * pixel, advance: usize = <usize>strideX * pixel;
  const skip: usize = <usize>(from * strideX - left) * pixel;
  for (let row = firstRow; row < endRow; row++) {
${rowPointers(K)}
    const gradientRow: usize = gradient + <usize>(row * outW) * pixel;
    let to = sums;
    for (let channel: usize = 0; channel < pixel; channel += 16) {
      if (end > from) {
        const g = gradientRow + <usize>from * pixel + channel, at = skip + channel;
${groups
  .map(
    ([first, R]) =>
      `        tapSums${K}x${R}(end - from, g, pixel, advance, step, ${range(R)
        .map((r) => `r${first + r} + at`)
        .join(', ')}, to + ${first * K * 16});`,
  )
  .join('\n')}
      }
      for (let i = 0; i < outW; i++) {
        if (i == from && end > from) i = end;
        if (i >= outW) break;
        const v = v128.load(gradientRow + <usize>i * pixel + channel);
        let inX = i * strideX - left;
        for (let k = 0; k < ${K}; k++, inX += stepX) {
          if (inX < 0 || inX >= w) continue;
          const at: usize = <usize>inX * pixel + channel;
          const place = to + (k << 4);
${lines(K, (r) => `          v128.store(place, madd(v, v128.load(r${r} + at), v128.load(place, ${r * K * 16})), ${r * K * 16});`)}
        }
      }
      to += ${K * K * 16};
    }
  }
}
`;
}

const GRADIENT_WORDS = `
  const x: usize = load<u32>(a), zero: usize = load<u32>(a, 4), gradient: usize = load<u32>(a, 8);
  const c = load<i32>(a, 16), h = load<i32>(a, 20), w = load<i32>(a, 24), outH = load<i32>(a, 28), outW = load<i32>(a, 32);
  const top = load<i32>(a, 36), left = load<i32>(a, 40);
  const strideY = load<i32>(a, 44), strideX = load<i32>(a, 48), stepY = load<i32>(a, 52), stepX = load<i32>(a, 56);
  const firstRow = chunk * load<i32>(a, 64), endRow = min(firstRow + load<i32>(a, 64), load<i32>(a, 60));
  const pixel: usize = <usize>c << 2;`;

export function generate() {
  return {
    'depthwise.ts': `import { madd } from '../simd';
${FINISH}${rolling(3)}${rolling(5)}${rolling2(3)}${rolling2(5)}${strided(3)}${spread(3)}${spread(5)}${filterGradient(3)}${filterGradient(5)}`,
  };
}
