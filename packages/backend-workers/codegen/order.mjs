// Generates argMax and argMin of float32 and int32, along lines and down columns (assembly/generated/extremes.ts). NaN exceeds
// everything, both ways; of equal elements the first counts.

const kinds = [
  { name: 'argMax', type: 'f32', shape: 'f32x4', fold: 'max', better: 'gt', worst: '-Infinity' },
  { name: 'argMin', type: 'f32', shape: 'f32x4', fold: 'min', better: 'lt', worst: 'Infinity' },
  {
    name: 'argMaxInt32',
    type: 'i32',
    shape: 'i32x4',
    fold: 'max_s',
    better: 'gt_s',
    worst: '-2147483648',
  },
  {
    name: 'argMinInt32',
    type: 'i32',
    shape: 'i32x4',
    fold: 'min_s',
    better: 'lt_s',
    worst: '2147483647',
  },
];

function kernels({ name, type, shape, fold, better, worst }) {
  const float = type === 'f32';
  const scalar = `${fold.slice(0, 3)}<${type}>`;
  const isNaN = (v) => `${shape}.ne(${v}, ${v})`;
  const sought = float
    ? `v128.or(${shape}.eq(v, extreme), v128.and(${isNaN('v')}, ${isNaN('extreme')}))`
    : `${shape}.eq(v, extreme)`;
  const exceeds = float
    ? `v128.or(${shape}.${better}(v, best), v128.andnot(${isNaN('v')}, ${isNaN('best')}))`
    : `${shape}.${better}(v, best)`;
  return `
// @kernel
// Arguments: x, y, lines, lines per chunk, length.
export function ${name}(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a, 8));
  const bytes = <usize>length << 2;
  let x = <usize>load<u32>(a) + <usize>first * bytes;
  const y = <usize>load<u32>(a, 4);
  const worst = ${shape}.splat(${worst});
  for (let line = first; line < end; line++, x += bytes) {
    let m = worst;
    for (let n = length, at = x; n > 0; n -= 4, at += 16) {
      m = ${shape}.${fold}(m, v128.bitselect(v128.load(at), worst, firstLanes(n)));
    }
    const extreme = ${shape}.splat(
      ${scalar}(
        ${scalar}(${shape}.extract_lane(m, 0), ${shape}.extract_lane(m, 1)),
        ${scalar}(${shape}.extract_lane(m, 2), ${shape}.extract_lane(m, 3)),
      ),
    );
    let index = 0;
    for (;;) {
      const v = v128.load(x + (<usize>index << 2));
      const found = i32x4.bitmask(${sought});
      if (found) {
        index += ctz(found);
        break;
      }
      index += 4;
    }
    store<i32>(y + (<usize>line << 2), index);
  }
}

// @kernel
// Columns of [outer, length, inner]. Arguments: x, y, groups of four columns in all, groups per chunk, length, inner, groups an
// outer index.
export function ${name}Columns(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const inner = load<i32>(a, 20);
  const groups = load<i32>(a, 24);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 8));
  const stride = <usize>inner << 2;
  for (let group = chunk * perChunk; group < end; group++) {
    const outer = group / groups;
    const column = (group - outer * groups) << 2;
    let x = <usize>load<u32>(a) + ((<usize>outer * length * inner + column) << 2);
    let best = v128.load(x);
    let index = i32x4.splat(0);
    for (let i = 1; i < length; i++) {
      x += stride;
      const v = v128.load(x);
      const exceeds = ${exceeds};
      best = v128.bitselect(v, best, exceeds);
      index = v128.bitselect(i32x4.splat(i), index, exceeds);
    }
    storeLanes(<usize>load<u32>(a, 4) + ((<usize>outer * inner + column) << 2), index, inner - column);
  }
}
`;
}

export function generate() {
  return {
    'extremes.ts': `
import { storeLanes } from '../lanes';
import { firstLanes } from '../tails';
${kinds.map(kernels).join('')}`,
  };
}
