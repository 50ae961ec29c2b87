// Generates the folds of assembly/reduce.ts: sums, products, extremes of float32 and int32, along lines and of rows, and the
// kernels that combine parts. Sums and products of float32 are accumulated in float64.

const f64 = (op, scalar, identity) => ({
  type: 'f64',
  result: 'f32',
  shift: 3,
  identity: `f64x2.splat(${identity})`,
  element: `f32x4.splat(${identity})`,
  vector: (a, b) => `f64x2.${op}(${a}, ${b})`,
  scalar: (a, b) => `${a} ${scalar} ${b}`,
});
const f32 = (op, identity) => ({
  type: 'f32',
  result: 'f32',
  shift: 2,
  identity: `f32x4.splat(${identity})`,
  element: `f32x4.splat(${identity})`,
  vector: (a, b) => `f32x4.${op}(${a}, ${b})`,
  scalar: (a, b) => `${op}<f32>(${a}, ${b})`,
});
const i32 = (op, scalar, identity) => ({
  type: 'i32',
  result: 'i32',
  shift: 2,
  identity: `i32x4.splat(${identity})`,
  element: `i32x4.splat(${identity})`,
  vector: (a, b) => `i32x4.${op}(${a}, ${b})`,
  scalar,
});

const folds = {
  Sum: f64('add', '+', '0'),
  Prod: f64('mul', '*', '1'),
  Max: f32('max', '-Infinity'),
  Min: f32('min', 'Infinity'),
  SumInt32: i32('add', (a, b) => `${a} + ${b}`, '0'),
  ProdInt32: i32('mul', (a, b) => `${a} * ${b}`, '1'),
  MaxInt32: i32('max_s', (a, b) => `max<i32>(${a}, ${b})`, '-2147483648'),
  MinInt32: i32('min_s', (a, b) => `min<i32>(${a}, ${b})`, '2147483647'),
};

const HIGH = 'i64x2.shuffle(v, v, 1, 1)';

/** Statements that fold the vector `v` into accumulators s[at], and s[at + 1] if they are wider than elements. */
function take({ type, vector }, at) {
  if (type !== 'f64') return `s${at} = ${vector(`s${at}`, 'v')};`;
  return `s${at} = ${vector(`s${at}`, 'f64x2.promote_low_f32x4(v)')};
    s${at + 1} = ${vector(`s${at + 1}`, `f64x2.promote_low_f32x4(${HIGH})`)};`;
}

const four = [0, 1, 2, 3];
const loads = (address) =>
  four.map((i) => `  let s${i} = v128.load(${address}, ${16 * i});`).join('\n');
const stores = (address) =>
  four.map((i) => `  v128.store(${address}, s${i}, ${16 * i});`).join('\n');

function lines(name, fold) {
  const wide = fold.type === 'f64';
  // Vectors of elements that fill the four accumulators.
  const vectors = wide ? 2 : 4;
  const at = (i) => (wide ? 2 * i : i);
  const steps = Array.from(
    { length: vectors },
    (_, i) => `    v = v128.load(x, ${16 * i});\n    ${take(fold, at(i))}`,
  ).join('\n');
  const ends = Array.from(
    { length: vectors },
    (
      _,
      i,
    ) => `    v = v128.bitselect(v128.load(x, ${16 * i}), ${fold.element}, firstLanes(n - ${4 * i}));
    ${take(fold, at(i))}`,
  ).join('\n');
  return `
function foldLine${name}(x: usize, n: i32, _: i32, __: i32, to: usize): void {
${loads('to')}
  let v: v128;
  for (; n >= ${4 * vectors}; n -= ${4 * vectors}, x += ${16 * vectors}) {
${steps}
  }
  if (n > 0) {
${ends}
  }
${stores('to')}
}

function finishLine${name}(from: usize, _: i32, y: usize, divisor: f64): void {
${loads('from').replaceAll('let', 'const')}
  const v = ${fold.vector(fold.vector('s0', 's1'), fold.vector('s2', 's3'))};
  const s = ${lanesOf(fold).reduce((all, lane) => fold.scalar(all, lane))};
  if (divisor == 0) store<${fold.type}>(y, s);
  else store<${fold.result}>(y, ${result(fold)});
}

// @kernel
export function reduce${name}Lines(a: usize, chunk: i32): void {
  reduce(a, chunk, ${fold.identity}, foldLine${name}, finishLine${name});
}
`;
}

function lanesOf({ type }) {
  const shape = `${type}x${type === 'f64' ? 2 : 4}`;
  return Array.from({ length: type === 'f64' ? 2 : 4 }, (_, i) => `${shape}.extract_lane(v, ${i})`);
}

function result({ type }) {
  return type === 'f64' ? '<f32>(s / divisor)' : 's';
}

function rows(name, fold) {
  const wide = fold.type === 'f64';
  const group = wide ? 8 : 16;
  const vectors = group / 4;
  const steps = Array.from(
    { length: vectors },
    (_, i) => `      v = v128.load(row, ${16 * i});\n      ${take(fold, wide ? 2 * i : i)}`,
  ).join('\n');
  return `
function foldRows${name}(x: usize, n: i32, stride: i32, columns: i32, to: usize): void {
  let v: v128;
  for (; columns > 0; columns -= ${group}, x += ${group * 4}, to += 64) {
${loads('to').replaceAll('  let', '    let')}
    let row = x;
    for (let i = 0; i < n; i++, row += stride) {
${steps}
    }
${stores('to').replaceAll('  v128', '    v128')}
  }
}

function finishRows${name}(from: usize, columns: i32, y: usize, divisor: f64): void {
  for (let i = 0; i < columns; i++) {
    const s = load<${fold.type}>(from + (<usize>i << ${fold.shift}));
    if (divisor == 0) store<${fold.type}>(y + (<usize>i << ${fold.shift}), s);
    else store<${fold.result}>(y + (<usize>i << 2), ${result(fold)});
  }
}

// @kernel
export function reduce${name}Rows(a: usize, chunk: i32): void {
  reduce(a, chunk, ${fold.identity}, foldRows${name}, finishRows${name});
}
`;
}

function combine(name, fold) {
  return `
// @kernel
// Arguments: parts' accumulators [parts, outputs], y, outputs, outputs per chunk, parts, divisor.
export function combine${name}(a: usize, chunk: i32): void {
  const outputs = load<i32>(a, 8);
  const perChunk = load<i32>(a, 12);
  const parts = load<i32>(a, 16);
  const divisor = <f64>load<u32>(a, 20);
  const end = min((chunk + 1) * perChunk, outputs);
  for (let i = chunk * perChunk; i < end; i++) {
    let from: usize = <usize>load<u32>(a) + (<usize>i << ${fold.shift});
    let s = load<${fold.type}>(from);
    for (let part = 1; part < parts; part++) {
      from += <usize>outputs << ${fold.shift};
      const one = load<${fold.type}>(from);
      s = ${fold.scalar('s', 'one')};
    }
    store<${fold.result}>(<usize>load<u32>(a, 4) + (<usize>i << 2), ${result(fold)});
  }
}
`;
}

export function generate() {
  const kernels = Object.entries(folds).flatMap(([name, fold]) => [
    lines(name, fold),
    rows(name, fold),
    combine(name, fold),
  ]);
  return {
    'folds.ts': `
import { reduce } from '../reduce';
import { firstLanes } from '../tails';
${kernels.join('')}`,
  };
}
