// Elementary functions of four float32 at once, by polynomials (minimax fits in the stated intervals, weighted for relative
// error, coefficients rounded to float32). A lane's result depends on its own argument only. "ulp" in the comments is the
// greatest error seen against float64 in both builds, over all exponents (test/kernels/math.test.ts checks it), in units of
// the last place of a result; results below 2^-126 may be off by one of the smallest float32 more. Infinities and NaN give
// what Math gives.

import { madd } from './simd';

/** A constant in all lanes. The build makes it a load from a table (codegen/constants.mjs). */
// @ts-ignore: decorator
@inline
export function c(x: f32): v128 {
  return f32x4.splat(x);
}

/** `a` where the mask is set, `b` elsewhere. */
// @ts-ignore: decorator
@inline
export function select(a: v128, b: v128, mask: v128): v128 {
  return v128.bitselect(a, b, mask);
}

// @ts-ignore: decorator
@inline
function withSignOf(magnitude: v128, sign: v128): v128 {
  return v128.or(magnitude, v128.and(sign, i32x4.splat(0x80000000)));
}

const LOG2_E: f32 = 1.44269504;
/** ln 2 as a number of 10 bits, so that multiples are exact, and the rest. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440054690583e-4;
/** Adding it leaves a whole number in the low bits of the sum. */
const MAGIC: f32 = 12582912.0;
const MAGIC_BITS: i32 = 0x4b400000;
const BIASED_MAGIC: f32 = 12583039.0;

/** (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, to 2e-8 of e^r - 1. */
// @ts-ignore: decorator
@inline
function expTail(r: v128): v128 {
  let q = madd(c(0.00138825015), r, c(0.00836659595));
  q = madd(q, r, c(0.0416672006));
  q = madd(q, r, c(0.166665435));
  return madd(q, r, c(0.49999997));
}

/** e^(x + low) for x in [-104, 89] and a small `low`; NaN stays. */
// @ts-ignore: decorator
@inline
function expOfSum(x: v128, low: v128): v128 {
  const shifted = madd(x, c(LOG2_E), c(MAGIC));
  const n = f32x4.sub(shifted, c(MAGIC));
  let r = madd(n, c(-LN2_HIGH), x);
  r = f32x4.add(madd(n, c(-LN2_LOW), r), low);
  const p = f32x4.add(madd(f32x4.mul(r, r), expTail(r), r), c(1));
  // 2^n in two factors: the second step rounds once where the result is denormal, and overflows where it must.
  const whole = i32x4.sub(shifted, i32x4.splat(MAGIC_BITS));
  const half = i32x4.shr_s(whole, 1);
  const bias = i32x4.splat(127);
  const first = i32x4.shl(i32x4.add(half, bias), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(whole, half), bias), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** e^x to 1.1 ulp. */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  return expOfSum(f32x4.pmax(f32x4.pmin(x, c(89)), c(-104)), c(0));
}

/** e^x for x <= 0 as `exp` has it, but 0 where that is below 2^-126: half the work. NaN stays. */
// @ts-ignore: decorator
@inline
export function expBelow(x: v128): v128 {
  // The bias in the magic number makes the low bits of the sum the exponent field.
  const shifted = madd(x, c(LOG2_E), c(BIASED_MAGIC));
  const n = f32x4.sub(shifted, c(BIASED_MAGIC));
  let r = madd(n, c(-LN2_HIGH), x);
  r = madd(n, c(-LN2_LOW), r);
  const p = f32x4.add(madd(f32x4.mul(r, r), expTail(r), r), c(1));
  const power = f32x4.mul(p, i32x4.shl(shifted, 23));
  return v128.andnot(power, f32x4.lt(x, c(-87.33654)));
}

/** e^x - 1 for x <= 0, to 1.6 ulp. */
// @ts-ignore: decorator
@inline
export function expm1Below(x: v128): v128 {
  const limited = f32x4.pmax(x, c(-30));
  const shifted = madd(limited, c(LOG2_E), c(MAGIC));
  const n = f32x4.sub(shifted, c(MAGIC));
  let r = madd(n, c(-LN2_HIGH), limited);
  r = madd(n, c(-LN2_LOW), r);
  const minusOne = madd(f32x4.mul(r, r), expTail(r), r);
  const whole = i32x4.sub(shifted, i32x4.splat(MAGIC_BITS));
  const scale = i32x4.shl(i32x4.add(whole, i32x4.splat(127)), 23);
  return madd(minusOne, scale, f32x4.sub(scale, c(1)));
}

/** ln(1 + f) + e ln(2) + low for 1 + f in [sqrt(1/2), sqrt(2)] and whole e. */
// @ts-ignore: decorator
@inline
function logOfParts(f: v128, e: v128, low: v128): v128 {
  const square = f32x4.mul(f, f);
  let p = madd(c(0.0674834773), f, c(-0.116778873));
  p = madd(p, f, c(0.118886329));
  p = madd(p, f, c(-0.12405277));
  p = madd(p, f, c(0.142194524));
  p = madd(p, f, c(-0.166680083));
  p = madd(p, f, c(0.200021237));
  p = madd(p, f, c(-0.250000089));
  p = madd(p, f, c(0.333333135));
  let y = f32x4.mul(f32x4.mul(square, f), p);
  y = f32x4.add(y, madd(e, c(LN2_LOW), low));
  y = madd(square, c(-0.5), y);
  return madd(e, c(LN2_HIGH), f32x4.add(f, y));
}

/** Bits of sqrt(1/2): subtracted, the exponent field is that of the power of two nearest by ratio. */
const SQRT_HALF: i32 = 0x3f3504f3;

// @ts-ignore: decorator
@inline
function exponentOf(x: v128): v128 {
  return i32x4.shr_s(i32x4.sub(x, i32x4.splat(SQRT_HALF)), 23);
}

/** x / 2^e for e = exponentOf(x): in [sqrt(1/2), sqrt(2)). */
// @ts-ignore: decorator
@inline
function mantissaOf(x: v128, e: v128): v128 {
  return i32x4.sub(x, i32x4.shl(e, 23));
}

/** `y`, but where x is 0, below 0, infinite or NaN what the logarithm is there. */
// @ts-ignore: decorator
@inline
function logSpecial(x: v128, y: v128): v128 {
  const zero = f32x4.eq(x, c(0));
  const special = select(c(-Infinity), f32x4.sqrt(x), zero);
  const plain = v128.and(f32x4.gt(x, c(0)), f32x4.lt(x, c(Infinity)));
  return select(y, special, plain);
}

/** ln(x) to 1.1 ulp. */
// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  const denormal = f32x4.lt(x, c(1.17549435e-38));
  const normal = select(f32x4.mul(x, c(8388608)), x, denormal);
  const e = exponentOf(normal);
  const f = f32x4.sub(mantissaOf(normal, e), c(1));
  const power = f32x4.sub(f32x4.convert_i32x4_s(e), v128.and(denormal, c(23)));
  return logSpecial(x, logOfParts(f, power, c(0)));
}

/** ln(1 + x) to 1.6 ulp. */
// @ts-ignore: decorator
@inline
export function log1p(x: v128): v128 {
  const u = f32x4.add(x, c(1));
  const e = exponentOf(u);
  const near = i32x4.eq(e, i32x4.splat(0));
  const f = select(x, f32x4.sub(mantissaOf(u, e), c(1)), near);
  // What u lost of 1 + x.
  const lost = select(
    f32x4.sub(c(1), f32x4.sub(u, x)),
    f32x4.sub(x, f32x4.sub(u, c(1))),
    f32x4.ge(x, c(1)),
  );
  const low = v128.andnot(f32x4.div(lost, u), near);
  return logSpecial(u, logOfParts(f, f32x4.convert_i32x4_s(e), low));
}

/** 1 / (1 + e^-x) to 2.5 ulp. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  const e = exp(f32x4.neg(f32x4.abs(x)));
  return f32x4.div(select(e, c(1), f32x4.lt(x, c(0))), f32x4.add(e, c(1)));
}

/** ln(1 + e^-|x|), which softplus and logSigmoid add to or subtract from their straight parts. */
// @ts-ignore: decorator
@inline
export function softCorner(x: v128): v128 {
  return log1p(exp(f32x4.neg(f32x4.abs(x))));
}

/** tanh(x) to 1.7 ulp. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const size = f32x4.abs(x);
  const s = f32x4.mul(x, x);
  let p = madd(c(-0.00566696841), s, c(0.0206061676));
  p = madd(p, s, c(-0.0537300035));
  p = madd(p, s, c(0.133313313));
  p = madd(p, s, c(-0.333332777));
  const near = madd(f32x4.mul(x, s), p, x);
  // From 9.02 on the result rounds to 1.
  const e = exp(f32x4.add(size, size));
  const far = f32x4.sub(c(1), f32x4.div(c(2), f32x4.add(e, c(1))));
  return select(near, withSignOf(far, x), f32x4.lt(size, c(0.625)));
}

/**
 * The upper tail of the normal distribution, erfc(t / sqrt(2)) / 2 for t >= 0, to about 4 ulp down to 2^-126. It is e^(-t^2/2) times
 * a polynomial in (t - 4) / (t + 4), over t + 4; t^2 is kept exactly, in two parts.
 */
// @ts-ignore: decorator
@inline
export function normalTail(argument: v128): v128 {
  const t = f32x4.pmin(argument, c(14.5));
  const high = v128.and(t, i32x4.splat(0xfffff000));
  const rest = f32x4.sub(t, high);
  const e = expOfSum(
    f32x4.pmax(f32x4.mul(f32x4.mul(high, high), c(-0.5)), c(-104)),
    f32x4.mul(f32x4.mul(rest, f32x4.add(high, t)), c(-0.5)),
  );
  const shifted = f32x4.add(t, c(4));
  const w = f32x4.div(f32x4.sub(t, c(4)), shifted);
  let p = madd(c(-0.000131972061), w, c(0.000179352908));
  p = madd(p, w, c(0.00156992243));
  p = madd(p, w, c(-0.00351255294));
  p = madd(p, w, c(-0.00752527034));
  p = madd(p, w, c(0.0604038313));
  p = madd(p, w, c(-0.186523438));
  p = madd(p, w, c(0.387136906));
  p = madd(p, w, c(-0.607896566));
  p = madd(p, w, c(0.755285144));
  return f32x4.mul(e, f32x4.div(p, shifted));
}

/** erf(x) to 1.5 ulp. */
// @ts-ignore: decorator
@inline
export function erf(x: v128): v128 {
  const size = f32x4.abs(x);
  const s = f32x4.mul(x, x);
  let p = madd(c(7.85385419e-5), s, c(-0.000801019138));
  p = madd(p, s, c(0.00518832728));
  p = madd(p, s, c(-0.026853811));
  p = madd(p, s, c(0.112835854));
  p = madd(p, s, c(-0.37612626));
  p = madd(p, s, c(0.128379166));
  const near = madd(x, p, x);
  const far = madd(normalTail(f32x4.mul(size, c(1.41421356))), c(-2), c(1));
  return select(near, withSignOf(far, x), f32x4.lt(size, c(1)));
}

/** x times the normal distribution function of x, to 5 ulp on both sides while the result is above 2^-126. */
// @ts-ignore: decorator
@inline
export function gelu(x: v128): v128 {
  const tail = normalTail(f32x4.abs(x));
  return f32x4.mul(x, select(tail, f32x4.sub(c(1), tail), f32x4.lt(x, c(0))));
}

/** |a|^b of two lanes, in float64 to 1e-10: exp2(b log2|a|), by the series of atanh and of exp. */
// @ts-ignore: decorator
@inline
function powerOfPair(a: v128, b: v128): v128 {
  const size = f64x2.abs(a);
  // As in `exponentOf`; the exponent as float64 by its bits below 2^52.
  const shifted = i64x2.sub(size, i64x2.splat(0x3fe6a09e667f3bcd));
  const whole = i64x2.shr_s(shifted, 52);
  const magic = f64x2.splat(6755399441055744.0);
  const e = f64x2.sub(i64x2.add(magic, whole), magic);
  const m = i64x2.sub(size, i64x2.shl(whole, 52));
  const one = f64x2.splat(1);
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one));
  const square = f64x2.mul(s, s);
  let p = f64x2.splat(0.22195308321368667);
  p = f64x2.add(f64x2.mul(p, square), f64x2.splat(0.2623081892525388));
  p = f64x2.add(f64x2.mul(p, square), f64x2.splat(0.3205988979753252));
  p = f64x2.add(f64x2.mul(p, square), f64x2.splat(0.4121985831111324));
  p = f64x2.add(f64x2.mul(p, square), f64x2.splat(0.5770780163555853));
  p = f64x2.add(f64x2.mul(p, square), f64x2.splat(0.9617966939259756));
  p = f64x2.add(f64x2.mul(p, square), f64x2.splat(2.8853900817779268));
  let log = f64x2.add(e, f64x2.mul(s, p));
  // Infinity and NaN are their own logarithms; that of 0 is -Infinity.
  log = select(log, size, f64x2.lt(size, f64x2.splat(Infinity)));
  log = select(f64x2.splat(-Infinity), log, f64x2.eq(size, f64x2.splat(0)));

  const limit = f64x2.splat(1000);
  const t = f64x2.pmax(f64x2.pmin(f64x2.mul(b, log), limit), f64x2.neg(limit));
  const n = f64x2.add(t, magic);
  const f = f64x2.sub(t, f64x2.sub(n, magic));
  let q = f64x2.splat(1.0178086009239696e-07);
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1.3215486790144305e-06));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1.5252733804059838e-05));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(0.00015403530393381606));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(0.0013333558146428441));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(0.009618129107628477));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(0.055504108664821576));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(0.2402265069591007));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(0.6931471805599453));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1.0));
  // The low bits of n are a whole number: added to the exponent field.
  return i64x2.add(q, i64x2.shl(n, 52));
}

/**
 * a to the power of b, to 0.6 ulp. As Math.pow has it, 1 to an infinite or NaN power is NaN, and anything to the power of 0
 * is 1.
 */
// @ts-ignore: decorator
@inline
export function pow(a: v128, b: v128): v128 {
  const low = powerOfPair(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(b));
  const high = powerOfPair(
    f64x2.promote_low_f32x4(i64x2.shuffle(a, a, 1, 1)),
    f64x2.promote_low_f32x4(i64x2.shuffle(b, b, 1, 1)),
  );
  let y = i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
  const half = f32x4.mul(b, c(0.5));
  const fractional = f32x4.ne(b, f32x4.nearest(b));
  const odd = v128.andnot(f32x4.ne(half, f32x4.nearest(half)), fractional);
  y = v128.xor(y, v128.and(v128.and(a, odd), i32x4.splat(0x80000000)));
  const finiteBelow = v128.and(f32x4.lt(a, c(0)), f32x4.gt(a, c(-Infinity)));
  y = select(c(NaN), y, v128.and(fractional, finiteBelow));
  return select(c(1), y, f32x4.eq(b, c(0)));
}

/** x sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3): 0.5 x (1 + tanh(u)) without its cancellation. To 4 ulp for |x| < 1. */
// @ts-ignore: decorator
@inline
export function geluTanh(x: v128): v128 {
  const cubic = madd(f32x4.mul(x, x), c(0.0713548163), c(1.59576912));
  return f32x4.mul(x, sigmoid(f32x4.mul(x, cubic)));
}

/** x tanh(ln(1 + e^x)), to 4 ulp. */
// @ts-ignore: decorator
@inline
export function mish(x: v128): v128 {
  // tanh(ln(1 + e)) = n / (n + 2) for n = e (e + 2): 1 in float32 long before n overflows.
  const e = exp(f32x4.pmin(x, c(30)));
  const n = f32x4.mul(e, f32x4.add(e, c(2)));
  return f32x4.mul(x, f32x4.div(n, f32x4.add(n, c(2))));
}

/** x relu6(x + 3) / 6; NaN for -Infinity, as the formula has it. */
// @ts-ignore: decorator
@inline
export function hardswish(x: v128): v128 {
  const middle = f32x4.div(f32x4.mul(x, f32x4.add(x, c(3))), c(6));
  const below = f32x4.sub(x, x);
  return select(x, select(below, middle, f32x4.lt(x, c(-3))), f32x4.gt(x, c(3)));
}
