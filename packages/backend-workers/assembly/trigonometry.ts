// Sine and cosine of four float32 at once; what is said at the top of math.ts holds here too.

import { c, select } from './math';
import { madd } from './simd';

/** pi / 2 as a number of 25 bits, so that small multiples are exact in float64, and the rest. */
const HALF_PI_HIGH: f64 = 1.57079631090164184570;
const HALF_PI_LOW: f64 = 1.58932547735281966916e-8;
const TWO_BY_PI: f64 = 0.636619772367581343076;

/**
 * sin(x + quarter pi / 2) to 1.6 ulp. The argument is reduced in float64; from 1e8 on, rare and slow, with more bits of pi.
 */
// @ts-ignore: decorator
@inline
function sine(x: v128, quarter: i32): v128 {
  const low = f64x2.promote_low_f32x4(x);
  const high = f64x2.promote_low_f32x4(i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  const n0 = f64x2.nearest(f64x2.mul(low, f64x2.splat(TWO_BY_PI)));
  const n1 = f64x2.nearest(f64x2.mul(high, f64x2.splat(TWO_BY_PI)));
  const r0 = reduced(low, n0);
  const r1 = reduced(high, n1);
  let r = i64x2.shuffle(f32x4.demote_f64x2_zero(r0), f32x4.demote_f64x2_zero(r1), 0, 2);
  let whole = i64x2.shuffle(
    i32x4.trunc_sat_f64x2_s_zero(n0),
    i32x4.trunc_sat_f64x2_s_zero(n1),
    0,
    2,
  );
  const plain = f32x4.lt(f32x4.abs(x), c(1e8));
  if (!i32x4.all_true(plain)) {
    // Lanes that need no reduction here may be given any.
    const large = select(c(1e9), x, plain);
    r = select(r, anglesOfLarge(large), plain);
    whole = select(whole, quartersOfLarge(large), plain);
  }
  const n = i32x4.add(whole, i32x4.splat(quarter));
  const z = f32x4.mul(r, r);
  let s = madd(c(2.718112e-6), z, c(-0.000198393114));
  s = madd(s, z, c(0.00833332911));
  s = madd(s, z, c(-0.166666672));
  s = madd(f32x4.mul(z, r), s, r);
  let k = madd(c(2.44330604e-5), z, c(-0.00138873153));
  k = madd(k, z, c(0.0416666456));
  k = madd(f32x4.mul(z, z), k, madd(z, c(-0.5), c(1)));
  const odd = i32x4.ne(v128.and(n, i32x4.splat(1)), i32x4.splat(0));
  return v128.xor(select(k, s, odd), i32x4.shl(v128.and(n, i32x4.splat(2)), 30));
}

// @ts-ignore: decorator
@inline
function reduced(x: v128, n: v128): v128 {
  const r = f64x2.sub(x, f64x2.mul(n, f64x2.splat(HALF_PI_HIGH)));
  return f64x2.sub(r, f64x2.mul(n, f64x2.splat(HALF_PI_LOW)));
}

/** sin(x) to 1.6 ulp. */
// @ts-ignore: decorator
@inline
export function sin(x: v128): v128 {
  return sine(x, 0);
}

/** cos(x) to 1.6 ulp. */
// @ts-ignore: decorator
@inline
export function cos(x: v128): v128 {
  return sine(x, 1);
}

/** Bits of 2 / pi behind the point. */
// @ts-ignore: decorator
@lazy
const TWO_BY_PI_BITS: usize = memory.data<u32>([
  0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
]);

/**
 * x / (pi / 2) for |x| >= 2^26: the nearest whole number modulo 4 in the high word, and in the low one the bits of the rest as an
 * angle in radians (Payne and Hanek 1983). A float32 is m 2^k, and bits of 2 / pi that make multiples of 4 can be left out.
 */
function reducedLarge(x: f32): u64 {
  const bits = reinterpret<u32>(x);
  const exponent = (bits >> 23) & 255;
  if (exponent == 255) return 0x7fc00000;
  const first = exponent - 152;
  const words = TWO_BY_PI_BITS + ((<usize>first >> 5) << 2);
  const shift = <u64>(first & 31);
  const w0 = <u64>load<u32>(words);
  const w1 = <u64>load<u32>(words, 4);
  const w2 = <u64>load<u32>(words, 8);
  const w3 = <u64>load<u32>(words, 12);
  const window = ((((w0 << 32) | w1) << shift) | (w2 >> (32 - shift)));
  const next = ((w2 << shift) | (w3 >> (32 - shift))) & 0xffffffff;
  const m = <u64>((bits & 0x7fffff) | 0x800000);
  // In units of 2^-62 quarters.
  const quarters = m * window + ((m * next) >> 32);
  const whole = (quarters + (1 << 61)) >> 62;
  const angle = <f32>(<f64>(<i64>(quarters - (whole << 62))) * (1.57079632679489661923 / 4611686018427387904.0));
  if (bits >> 31) return ((4 - whole) << 32) | <u64>reinterpret<u32>(-angle);
  return (whole << 32) | <u64>reinterpret<u32>(angle);
}

function anglesOfLarge(x: v128): v128 {
  const a = <u32>reducedLarge(f32x4.extract_lane(x, 0));
  const b = <u32>reducedLarge(f32x4.extract_lane(x, 1));
  const d = <u32>reducedLarge(f32x4.extract_lane(x, 2));
  let y = i32x4.replace_lane(i32x4.splat(a), 1, b);
  y = i32x4.replace_lane(y, 2, d);
  return i32x4.replace_lane(y, 3, <u32>reducedLarge(f32x4.extract_lane(x, 3)));
}

function quartersOfLarge(x: v128): v128 {
  const a = <u32>(reducedLarge(f32x4.extract_lane(x, 0)) >> 32);
  const b = <u32>(reducedLarge(f32x4.extract_lane(x, 1)) >> 32);
  const d = <u32>(reducedLarge(f32x4.extract_lane(x, 2)) >> 32);
  let y = i32x4.replace_lane(i32x4.splat(a), 1, b);
  y = i32x4.replace_lane(y, 2, d);
  return i32x4.replace_lane(y, 3, <u32>(reducedLarge(f32x4.extract_lane(x, 3)) >> 32));
}
