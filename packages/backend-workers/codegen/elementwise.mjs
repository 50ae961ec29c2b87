// Generates the elementwise kernels: of one input (assembly/generated/unary.ts), and of several that broadcast (binary.ts,
// compare.ts). A table says what each does to a vector; the loops round it are the same for all. The end of an array goes
// through the same vector code, so that a result does not depend on where its element lies.

/** What becomes of four float32 in `x`; `p` and `q` are the op's numbers. */
const unary = {
  Neg: 'f32x4.neg(x)',
  Abs: 'f32x4.abs(x)',
  Sign: 'v128.bitselect(v128.or(v128.and(x, splat(-0.0)), splat(1)), x, f32x4.gt(f32x4.abs(x), splat(0)))',
  Exp: 'exp(x)',
  Log: 'log(x)',
  Log1p: 'log1p(x)',
  Sqrt: 'f32x4.sqrt(x)',
  Sin: 'sin(x)',
  Cos: 'cos(x)',
  Tanh: 'tanh(x)',
  Erf: 'erf(x)',
  Floor: 'f32x4.floor(x)',
  Round: 'f32x4.nearest(x)',
  Rsqrt: 'f32x4.div(splat(1), f32x4.sqrt(x))',
  Square: 'f32x4.mul(x, x)',
  Reciprocal: 'f32x4.div(splat(1), x)',
  Sigmoid: 'sigmoid(x)',
  LogSigmoid: 'f32x4.sub(f32x4.pmin(x, splat(0)), softCorner(x))',
  // Adding 0 turns -0 into 0.
  Relu: 'f32x4.add(f32x4.pmax(x, splat(0)), splat(0))',
  Clamp: 'f32x4.pmin(f32x4.pmax(x, p), q)',
  LeakyRelu: 'v128.bitselect(x, f32x4.mul(x, p), f32x4.gt(x, splat(0)))',
  Elu: 'v128.bitselect(f32x4.mul(x, q), f32x4.mul(expm1Below(f32x4.pmin(x, splat(0))), p), f32x4.gt(x, splat(0)))',
  Silu: 'f32x4.mul(x, sigmoid(x))',
  Mish: 'mish(x)',
  Softplus: 'f32x4.add(f32x4.pmax(x, splat(0)), softCorner(x))',
  Softsign: 'f32x4.div(x, f32x4.add(f32x4.abs(x), splat(1)))',
  Hardswish: 'hardswish(x)',
  Hardsigmoid:
    'f32x4.div(f32x4.pmin(f32x4.pmax(f32x4.add(x, splat(3)), splat(0)), splat(6)), splat(6))',
  Gelu: 'gelu(x)',
  GeluTanh: 'geluTanh(x)',
  ScaledTanh: 'f32x4.mul(p, tanh(f32x4.mul(q, x)))',
};
const parameters = { Clamp: 2, LeakyRelu: 1, Elu: 2, ScaledTanh: 2 };

const unaryInt32 = {
  Neg: 'i32x4.neg(x)',
  Abs: 'i32x4.abs(x)',
  Sign: 'v128.or(i32x4.shr_s(x, 31), i32x4.shr_u(i32x4.neg(x), 31))',
  Square: 'i32x4.mul(x, x)',
  Relu: 'i32x4.max_s(x, i32x4.splat(0))',
  Clamp: 'i32x4.min_s(i32x4.max_s(x, p), q)',
};

const binary = {
  Add: 'f32x4.add(a, b)',
  Sub: 'f32x4.sub(a, b)',
  Mul: 'f32x4.mul(a, b)',
  Div: 'f32x4.div(a, b)',
  Pow: 'pow(a, b)',
  Minimum: 'f32x4.min(a, b)',
  Maximum: 'f32x4.max(a, b)',
  ReluGradient: 'v128.and(a, f32x4.gt(b, f32x4.splat(0)))',
  AddInt32: 'i32x4.add(a, b)',
  SubInt32: 'i32x4.sub(a, b)',
  MulInt32: 'i32x4.mul(a, b)',
  MinimumInt32: 'i32x4.min_s(a, b)',
  MaximumInt32: 'i32x4.max_s(a, b)',
};

const comparisons = { Equal: 'eq', NotEqual: 'ne', Less: 'lt', LessEqual: 'le' };

/** From four elements of the left dtype to four of the right, both as 32-bit lanes (bytes are widened and narrowed around). */
const casts = {
  Float32ToInt32: 'i32x4.trunc_sat_f32x4_s(x)',
  Float32ToUint8: 'i32x4.trunc_sat_f32x4_s(x)',
  Float32ToBool: 'v128.and(f32x4.ne(x, splat(0)), i32x4.splat(1))',
  Int32ToFloat32: 'f32x4.convert_i32x4_s(x)',
  Int32ToUint8: 'x',
  Int32ToBool: 'v128.and(i32x4.ne(x, i32x4.splat(0)), i32x4.splat(1))',
  Uint8ToFloat32: 'f32x4.convert_i32x4_s(x)',
  Uint8ToInt32: 'x',
  Uint8ToBool: 'v128.and(i32x4.ne(x, i32x4.splat(0)), i32x4.splat(1))',
};

function unaryKernel(name, expression, numbers) {
  const loads = ['p', 'q']
    .slice(0, numbers)
    .map((letter, i) => `  const ${letter} = v128.load32_splat(a, ${16 + 4 * i});\n`)
    .join('');
  return `
// @kernel
// Arguments: x, y, count, elements per chunk${numbers > 0 ? ', numbers...' : ''}.
export function unary${name}(a: usize, chunk: i32): void {
  const perChunk = load<u32>(a, 12);
  const first = <u32>chunk * perChunk;
  let left = <i32>min(perChunk, load<u32>(a, 8) - first);
  let from: usize = <usize>load<u32>(a) + (<usize>first << 2);
  let to: usize = <usize>load<u32>(a, 4) + (<usize>first << 2);
${loads}  for (; left > 0; left -= 4, from += 16, to += 16) {
    const x = v128.load(from);
    const y = ${expression};
    storeLanes(to, y, left);
  }
}
`;
}

function unarySource() {
  const kernels = Object.entries(unary).map(([name, expression]) =>
    unaryKernel(name, expression, parameters[name] ?? 0),
  );
  const whole = Object.entries(unaryInt32).map(([name, expression]) =>
    unaryKernel(`${name}Int32`, expression, name === 'Clamp' ? 2 : 0),
  );
  return `
import {
  erf,
  exp,
  expm1Below,
  gelu,
  geluTanh,
  hardswish,
  log,
  log1p,
  mish,
  sigmoid,
  softCorner,
  tanh,
} from '../math';
import { storeLanes } from '../lanes';
import { cos, sin } from '../trigonometry';

${splat}
${kernels.join('')}${whole.join('')}`;
}

const splat = `// @ts-ignore: decorator
@inline
function splat(x: f32): v128 {
  return f32x4.splat(x);
}`;

/** Stores a vector of `lanes` elements, or as many of them as are left. */
function storing(to, value, left, bytes, lanes) {
  if (bytes === 4) return `storeLanes(${to}, ${value}, ${left})`;
  const whole =
    lanes === 4
      ? `store<u32>(${to}, i32x4.extract_lane(${value}, 0))`
      : `v128.store(${to}, ${value})`;
  return `if (${left} < ${lanes}) storeBytes(${to}, ${value}, ${left});\n    else ${whole}`;
}

const LINE =
  'x0: usize, delta0: usize, x1: usize, delta1: usize, x2: usize, delta2: usize, y: usize, n: i32';

/** A line function, and the kernel that walks with it. `lanes` elements at a time become `expression`, of `bytes` each. */
function lineKernel({ name, loads, expression, sizes, bytes, lanes }) {
  const width = lanes * bytes;
  const inputs = sizes.map((_, i) => i);
  const advance = inputs.map((i) => `x${i} += delta${i}`).join(', ');
  const [s0, s1, s2 = 0] = sizes;
  return `
function line${name}(${LINE}): void {
  for (; n > 0; n -= ${lanes}, ${advance}, y += ${width}) {
${loads}
    const v = ${expression};
    ${storing('y', 'v', 'n', bytes, lanes)};
  }
}

// @kernel
export function ${name}(a: usize, chunk: i32): void {
  broadcast(a, chunk, ${s0}, ${s1}, ${s2}, ${bytes}, ${lanes}, line${name});
}
`;
}

const TWO = '    const a = v128.load(x0);\n    const b = v128.load(x1);';

function binarySource() {
  const kernels = Object.entries(binary).map(([name, expression]) =>
    lineKernel({
      name: `binary${name}`,
      loads: TWO,
      expression,
      sizes: [4, 4],
      bytes: 4,
      lanes: 4,
    }),
  );
  const choices = '    const a = v128.load(x1);\n    const b = v128.load(x2);';
  return `
import { broadcast } from '../broadcast';
import { pow } from '../math';
import { storeLanes } from '../lanes';
import { storeBytes } from '../tails';
import { widen } from '../bytes';
${kernels.join('')}${lineKernel({
    name: 'select',
    sizes: [1, 4, 4],
    bytes: 4,
    lanes: 4,
    loads: `    const chosen = i32x4.ne(widen(v128.load32_zero(x0)), i32x4.splat(0));\n${choices}`,
    expression: 'v128.bitselect(a, b, chosen)',
  })}${lineKernel({
    name: 'selectBytes',
    sizes: [1, 1, 1],
    bytes: 1,
    lanes: 16,
    loads: `    const chosen = i8x16.ne(v128.load(x0), i8x16.splat(0));\n${choices}`,
    expression: 'v128.bitselect(a, b, chosen)',
  })}`;
}

function compareKernels([name, op]) {
  const wide = { loads: TWO, sizes: [4, 4], bytes: 1, lanes: 4 };
  const signed = op === 'eq' || op === 'ne' ? op : `${op}_s`;
  const unsigned = op === 'eq' || op === 'ne' ? op : `${op}_u`;
  return [
    { ...wide, name: `compare${name}`, expression: `narrowMask(f32x4.${op}(a, b))` },
    { ...wide, name: `compare${name}Int32`, expression: `narrowMask(i32x4.${signed}(a, b))` },
    {
      name: `compare${name}Bytes`,
      loads: TWO,
      sizes: [1, 1],
      bytes: 1,
      lanes: 16,
      expression: `v128.and(i8x16.${unsigned}(a, b), i8x16.splat(1))`,
    },
  ].map(lineKernel);
}

function castKernel([name, expression]) {
  const [fromBytes, toBytes] = name.split('To').map((part) => (part.endsWith('32') ? 4 : 1));
  const load = fromBytes === 4 ? 'v128.load(from)' : 'widen(v128.load32_zero(from))';
  const value = toBytes === 4 ? expression : `narrow(${expression})`;
  return `
// @kernel
// Arguments: x, y, count, elements per chunk.
export function cast${name}(a: usize, chunk: i32): void {
  const perChunk = load<u32>(a, 12);
  const first = <u32>chunk * perChunk;
  let left = <i32>min(perChunk, load<u32>(a, 8) - first);
  let from: usize = <usize>load<u32>(a) + <usize>first * ${fromBytes};
  let to: usize = <usize>load<u32>(a, 4) + <usize>first * ${toBytes};
  for (; left > 0; left -= 4, from += ${4 * fromBytes}, to += ${4 * toBytes}) {
    const x = ${load};
    const y = ${value};
    ${storing('to', 'y', 'left', toBytes, 4)};
  }
}
`;
}

function compareSource() {
  return `
import { broadcast } from '../broadcast';
import { narrow, narrowMask, widen } from '../bytes';
import { storeLanes } from '../lanes';
import { storeBytes } from '../tails';

${splat}
${Object.entries(comparisons).flatMap(compareKernels).join('')}${Object.entries(casts).map(castKernel).join('')}`;
}

export function generate() {
  return {
    'unary.ts': unarySource(),
    'binary.ts': binarySource(),
    'compare.ts': compareSource(),
  };
}
