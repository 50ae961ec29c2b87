// Generates the transforms of Winograd's minimal filtering, F(4x4, 3x3) and F(2x2, 3x3) (Lavin & Gray 2015,
// arXiv:1509.09308), for 4 channels at a time.
//
// A filter's gradient takes the transposes of the transforms of outputs and filters: F4's products of transformed images and
// transformed gradients, summed over tiles, are brought back to 3x3 once.
//
// F4 evaluates at 0, P, -P, Q, -Q and infinity. With 3/4 and 3/2 in place of the usual 1 and 2 its errors are half as large
// (rms 0.8e-6 for 1.6e-6 of the output's at 64 channels), and all coefficients of the image's transforms are still exact.

const P = 0.75;
const Q = 1.5;
const range = (n) => Array.from({ length: n }, (_, i) => i);
const lines = (list) => list.join('\n');

const times = (factor, x) => `f64x2.mul(f64x2.splat(${factor}), ${x})`;
const add = (x, y) => `f64x2.add(${x}, ${y})`;
const sub = (x, y) => `f64x2.sub(${x}, ${y})`;

/** Each transform: what it names first, then its results, of the inputs' names. Constants are locals, written by `constants`. */
const F4 = {
  m: 4,
  size: 6,
  input: (d) => [
    [
      `const even = madd(minusPP, ${d[2]}, ${d[4]}), even2 = madd(minusQQ, ${d[2]}, ${d[4]});`,
      `const odd = f32x4.mul(q, madd(minusPP, ${d[1]}, ${d[3]})), odd2 = f32x4.mul(p, madd(minusQQ, ${d[1]}, ${d[3]}));`,
    ],
    [
      `madd(ppqq, ${d[0]}, madd(minusSum, ${d[2]}, ${d[4]}))`,
      'f32x4.add(even2, odd2)',
      'f32x4.sub(even2, odd2)',
      'f32x4.add(even, odd)',
      'f32x4.sub(even, odd)',
      `madd(ppqq, ${d[1]}, madd(minusSum, ${d[3]}, ${d[5]}))`,
    ],
  ],
  output: (d) => [
    [
      `const plus = f32x4.add(${d[1]}, ${d[2]}), minus = f32x4.sub(${d[1]}, ${d[2]});`,
      `const plus2 = f32x4.add(${d[3]}, ${d[4]}), minus2 = f32x4.sub(${d[3]}, ${d[4]});`,
    ],
    [
      `f32x4.add(f32x4.add(${d[0]}, plus), plus2)`,
      'madd(p, minus, f32x4.mul(q, minus2))',
      'madd(pp, plus, f32x4.mul(qq, plus2))',
      `madd(ppp, minus, madd(qqq, minus2, ${d[5]}))`,
    ],
  ],
  filter: (g) => {
    const pair = (point, other, name) => {
      const by = 1 / (2 * point * point * (point * point - other * other));
      return [
        `const ${name} = ${add(times(by, g[0]), times(by * point * point, g[2]))};`,
        `const ${name}2 = ${times(by * point, g[1])};`,
      ];
    };
    return [
      [...pair(P, Q, 'u'), ...pair(Q, P, 'v')],
      [
        times(1 / (P * P * Q * Q), g[0]),
        add('u', 'u2'),
        sub('u', 'u2'),
        add('v', 'v2'),
        sub('v', 'v2'),
        g[2],
      ],
    ];
  },
  /** Transposes of `output` and `filter`. */
  gradient: (d) => [
    [
      `const even = madd(pp, ${d[2]}, ${d[0]}), even2 = madd(qq, ${d[2]}, ${d[0]});`,
      `const odd = madd(ppp, ${d[3]}, f32x4.mul(p, ${d[1]})), odd2 = madd(qqq, ${d[3]}, f32x4.mul(q, ${d[1]}));`,
    ],
    [
      d[0],
      'f32x4.add(even, odd)',
      'f32x4.sub(even, odd)',
      'f32x4.add(even2, odd2)',
      'f32x4.sub(even2, odd2)',
      d[3],
    ],
  ],
  taps: (d) => [
    [
      `const plus = f32x4.mul(u, f32x4.add(${d[1]}, ${d[2]})), minus = f32x4.mul(u, f32x4.sub(${d[1]}, ${d[2]}));`,
      `const plus2 = f32x4.mul(v, f32x4.add(${d[3]}, ${d[4]})), minus2 = f32x4.mul(v, f32x4.sub(${d[3]}, ${d[4]}));`,
    ],
    [
      `f32x4.add(madd(w, ${d[0]}, plus), plus2)`,
      'madd(p, minus, f32x4.mul(q, minus2))',
      `madd(pp, plus, madd(qq, plus2, ${d[5]}))`,
    ],
  ],
  inputConstants: {
    p: P,
    q: Q,
    minusPP: -P * P,
    minusQQ: -Q * Q,
    minusSum: -P * P - Q * Q,
    ppqq: P * P * Q * Q,
  },
  outputConstants: { p: P, q: Q, pp: P * P, qq: Q * Q, ppp: P ** 3, qqq: Q ** 3 },
  tapConstants: {
    p: P,
    q: Q,
    pp: P * P,
    qq: Q * Q,
    u: 1 / (2 * P * P * (P * P - Q * Q)),
    v: 1 / (2 * Q * Q * (Q * Q - P * P)),
    w: 1 / (P * P * Q * Q),
  },
};

const F2 = {
  m: 2,
  size: 4,
  input: (d) => [
    [],
    [
      `f32x4.sub(${d[0]}, ${d[2]})`,
      `f32x4.add(${d[1]}, ${d[2]})`,
      `f32x4.sub(${d[2]}, ${d[1]})`,
      `f32x4.sub(${d[1]}, ${d[3]})`,
    ],
  ],
  output: (d) => [
    [],
    [
      `f32x4.add(f32x4.add(${d[0]}, ${d[1]}), ${d[2]})`,
      `f32x4.sub(f32x4.sub(${d[1]}, ${d[2]}), ${d[3]})`,
    ],
  ],
  filter: (g) => [
    [`const u = ${times(0.5, add(g[0], g[2]))}, u2 = ${times(0.5, g[1])};`],
    [g[0], add('u', 'u2'), sub('u', 'u2'), g[2]],
  ],
  inputConstants: {},
  outputConstants: {},
};

const constants = (values) =>
  lines(Object.entries(values).map(([name, value]) => `  const ${name} = c(${value});`));
const names = (n, prefix = 'd') => range(n).map((i) => `${prefix}${i}`);

/** Of `read` x `read` pixels of each tile to `size` x `size` planes. */
function tileTransform(name, { m, size }, read, transform, values) {
  const [first, results] = transform(names(read));
  return `export function ${name}${m}(
  image: Image, tile: i32, end: i32, to: usize, tileBytes: usize, planeBytes: usize, work: usize,
): void {
${constants(values)}
  for (; tile < end; tile++) {
    const column = tile % image.tileColumns, rest = tile / image.tileColumns;
    const row = rest % image.tileRows;
    const top = row * ${m} - image.top, left = column * ${m} - image.left;
    const plane = rest / image.tileRows;
${lines(range(read).map((i) => `    const r${i} = rowOf(image, plane, top + ${i}, left);`))}
    const first = min(max(-left, 0), ${read}), last = max(min(image.width - left, ${read}), first);
    for (let j = 0; j < ${read}; j++) {
      if (j >= first && j < last) continue;
      for (let i = 0; i < ${size}; i++) v128.store(work + (<usize>(i * ${read} + j) << 4), f32x4.splat(0));
    }
    const pixelBytes: usize = image.pixelBytes;
    let target = to;
    for (let c: usize = 0; c < tileBytes; c += 16) {
      let o = <usize>first * pixelBytes + c;
      const past = work + (<usize>last << 4);
      for (let at = work + (<usize>first << 4); at < past; at += 16) {
${lines(names(read).map((d, i) => `        const ${d} = v128.load(r${i} + o);`))}
        o += pixelBytes;
        ${lines(first)}
${lines(results.map((r, i) => `        v128.store(at, ${r}, ${i * read * 16});`))}
      }
      let out = target;
      for (let i: usize = 0; i < ${size}; i++) {
        const at = work + i * ${read * 16};
${lines(names(read).map((d, i) => `        const ${d} = v128.load(at, ${i * 16});`))}
        ${lines(first)}
${lines(results.map((r) => `        v128.store(out, ${r});\n        out += planeBytes;`))}
      }
      target += 16;
    }
    to += tileBytes;
  }
}
`;
}

/** Four outputs' sums of planes to the taps of a channel. */
function tapTransform({ m, size, taps, tapConstants }) {
  const [first, results] = taps(names(size));
  return `export function tapTransform${m}(
  from: usize, planeBytes: usize, to: usize, outputBytes: usize, lanes: i32, work: usize,
): void {
${constants(tapConstants)}
  for (let j: usize = 0; j < ${size}; j++) {
    let source = from + j * planeBytes;
${lines(names(size).map((d) => `    const ${d} = v128.load(source);\n    source += ${size} * planeBytes;`))}
    ${lines(first)}
    const at = work + (j << 4);
${lines(results.map((r, i) => `    v128.store(at, ${r}, ${i * size * 16});`))}
  }
  for (let i: usize = 0; i < 3; i++) {
    const at = work + i * ${size * 16};
${lines(names(size).map((d, i) => `    const ${d} = v128.load(at, ${i * 16});`))}
    ${lines(first)}
${lines(results.map((r) => `    storeLanes(to, ${r}, outputBytes, lanes);\n    to += 4;`))}
  }
}
`;
}

function outputTransform({ m, size, output, outputConstants }) {
  const [first, results] = output(names(size));
  return `export function outputTransform${m}(
  image: Image, tile: i32, end: i32, from: usize, tileBytes: usize, planeBytes: usize, work: usize,
): void {
${constants(outputConstants)}
  const low = v128.load32_splat(image.limits), high = v128.load32_splat(image.limits, 4);
  const outputs = image.outputs;
  const pixelBytes = (<usize>outputs) << 2;
  const lineBytes = <usize>image.outputWidth * pixelBytes;
  for (; tile < end; tile++) {
    const column = (tile % image.tileColumns) * ${m}, rest = tile / image.tileColumns;
    const row = (rest % image.tileRows) * ${m};
    const rows = min(${m}, image.outputHeight - row), columns = min(${m}, image.outputWidth - column);
    const plain = columns == ${m} && image.residual == 0;
    const offset = <usize>(rest / image.tileRows) * <usize>image.outputHeight * lineBytes + <usize>row * lineBytes + <usize>column * pixelBytes;
    for (let channel = 0; channel < outputs; channel += 4) {
      const c = (<usize>channel) << 2;
      const left = outputs - channel;
      for (let j: usize = 0; j < ${size}; j++) {
        let source = from + c + j * planeBytes;
${lines(names(size).map((d, i) => `        const ${d} = v128.load(source);${i < size - 1 ? `\n        source += ${size} * planeBytes;` : ''}`))}
        ${lines(first)}
        const at = work + (j << 4);
${lines(results.map((r, i) => `        v128.store(at, ${r}, ${i * size * 16});`))}
      }
      const bias = image.bias != 0 ? v128.load(image.bias + c) : f32x4.splat(0);
      for (let i = 0; i < rows; i++) {
        const at = work + <usize>i * ${size * 16};
${lines(names(size).map((d, i) => `        const ${d} = v128.load(at, ${i * 16});`))}
        ${lines(first)}
        let to = offset + <usize>i * lineBytes + c;
        if (plain && left >= 4) {
${lines(
  results.map(
    (
      r,
    ) => `          v128.store(image.y + to, f32x4.pmin(f32x4.pmax(f32x4.add(${r}, bias), low), high));
          to += pixelBytes;`,
  ),
)}
          continue;
        }
${lines(
  results.map(
    (r, j) => `        ${j > 0 ? `if (columns > ${j}) ` : ''}{
          let value = f32x4.add(${r}, bias);
          if (image.residual != 0) value = f32x4.add(value, v128.load(image.residual + to));
          value = f32x4.pmin(f32x4.pmax(value, low), high);
          if (left >= 4) v128.store(image.y + to, value);
          else storeColumns(image.y + to, value, value, left);
          to += pixelBytes;
        }`,
  ),
)}
      }
    }
    from += tileBytes;
  }
}
`;
}

/** Two filters at a time, in float64. */
function filterTransform({ m, size, filter }) {
  const columns = range(3).map((j) => {
    const [first, results] = filter(range(3).map((i) => `g${i * 3 + j}`));
    return `  let ${range(size)
      .map((i) => `t${i}${j}: v128`)
      .join(', ')};
  {
    ${lines(first)}
${lines(results.map((r, i) => `    t${i}${j} = ${r};`))}
  }`;
  });
  const rows = range(size).map((i) => {
    const [first, results] = filter(range(3).map((j) => `t${i}${j}`));
    return `  {
    ${lines(first)}
${lines(results.map((r) => `    v128.store64_lane(to, f32x4.demote_f64x2_zero(${r}), 0);\n    to += planeBytes;`))}
  }`;
  });
  return `export function filterTransform${m}(
  from: usize, other: usize, tapBytes: usize, to: usize, planeBytes: usize,
): void {
${lines(range(9).map((i) => `  const g${i} = pairOf(from + ${i} * tapBytes, other + ${i} * tapBytes);`))}
${lines(columns)}
${lines(rows)}
}
`;
}

/**
 * Rows of a plane times a panel: what micro-kernels do (codegen/gemm.mjs) without tables, bias and clamp, which took a fifth
 * of the time at 16 channels.
 */
function productTile(rows) {
  const sums = range(rows).flatMap((i) => [`s${i}a`, `s${i}b`]);
  return `function product${rows}(v: usize, vBytes: usize, to: usize, panel: usize, y: usize, yBytes: usize, add: bool): void {
  let s0a = f32x4.splat(0);
${lines(sums.slice(1).map((s) => `  let ${s} = s0a;`))}
${lines(range(rows - 1).map((i) => `  const v${i + 1} = v${i || ''} + vBytes;`))}
  let o: usize = 0;
  do {
    const a = v128.load(panel), b = v128.load(panel, 16);
    let x: v128;
${lines(
  range(rows).map(
    (i) => `    x = v128.load32_splat(v${i || ''} + o);
    s${i}a = madd(x, a, s${i}a);
    s${i}b = madd(x, b, s${i}b);`,
  ),
)}
    panel += 32;
    o += 4;
  } while (o < to);
  if (add) {
    let at = y;
${lines(
  range(rows).map(
    (i) => `    s${i}a = f32x4.add(s${i}a, v128.load(at));
    s${i}b = f32x4.add(s${i}b, v128.load(at, 16));
    at += yBytes;`,
  ),
)}
  }
${lines(
  range(rows).map(
    (i) => `  v128.store(y, s${i}a);
  v128.store(y, s${i}b, 16);
  y += yBytes;`,
  ),
)}
}
`;
}

const SOURCE = `// Winograd transforms: assembly/winograd.ts says how they are used.
import { c } from '../math';
import { madd } from '../simd';
import { storeColumns } from '../tiles';
import { Image } from '../winograd-image';

// @ts-ignore: decorator
@inline
function pairOf(a: usize, b: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load32_lane(b, v128.load32_zero(a), 1));
}

function storeLanes(to: usize, value: v128, distance: usize, lanes: i32): void {
  for (let i = 0; i < lanes; i++) {
    v128.store32_lane(to, value, 0);
    value = i32x4.shuffle(value, value, 1, 2, 3, 0);
    to += distance;
  }
}

${lines([1, 4, 6].map(productTile))}
/** By number of rows: 1, 4 or 6. */
export const productOf: StaticArray<(
  v: usize, vBytes: usize, to: usize, panel: usize, y: usize, yBytes: usize, add: bool,
) => void> = [product1, product1, product1, product1, product4, product4, product6];

/** Where a row of a tile begins, of which the column \`left\` is the first; a row outside the image is zeros. */
function rowOf(image: Image, plane: i32, row: i32, left: i32): usize {
  if (<u32>row >= <u32>image.height) return image.zeros;
  return image.x + <usize>((plane * image.height + row) * image.width + left) * <usize>image.pixelBytes;
}

${[F4, F2]
  .flatMap((f) => [
    tileTransform('inputTransform', f, f.size, f.input, f.inputConstants),
    outputTransform(f),
    filterTransform(f),
  ])
  .concat(
    tileTransform('gradientTransform', F4, F4.m, F4.gradient, F4.outputConstants),
    tapTransform(F4),
  )
  .join('\n')}`;

export function generate() {
  return { 'winograd-transforms.ts': SOURCE };
}
