// Tensors from nothing but a shape, and random bits by Threefry-2x32 in float arithmetic on pairs of 16 bits, exact.

import { sizeOf } from '@convoke/backend-api';

import { flatLayout } from '../device.ts';
import type { Buffer } from '../device.ts';
import { walk } from '../indexing.ts';
import type { Kit, OpKernels, Value } from '../kernel.ts';

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** [low, high] of each element, from uploading or split off numbers that floats hold. */
function limbsOf(kit: Kit, { storage, spec }: Value): Buffer {
  if (storage.limbs) return storage.limbs;
  const count = sizeOf(spec.shape) * 2;
  const layout = flatLayout(count, kit.device.maxSize)!;
  return kit.passing(
    kit.shared(`limbs ${count}`, layout, [kit.flat({ storage })], () => ({
      arguments: ['x'],
      script: `
const i = this.thread.x;
const v = x[idiv(i, 2)];
let high = Math.floor(v / 65536.0);
const low = v - high * 65536.0;
if (high < 0.0) { high = high + 65536.0; }
return imod(i, 2) === 0 ? low : high;`,
    })),
  );
}

/** (xl, xh) += (al, ah) modulo 2^32. */
const add = (x: string, low: string, high: string): string => `
${x}l = ${x}l + ${low};
${x}h = ${x}h + ${high};
if (${x}l >= 65536.0) { ${x}l = ${x}l - 65536.0; ${x}h = ${x}h + 1.0; }
if (${x}h >= 65536.0) { ${x}h = ${x}h - 65536.0; }`;

/** Turns y left by `bits`, then y ^= x. */
function turn(bits: number): string {
  const swapped = bits >= 16;
  const by = swapped ? bits - 16 : bits;
  const [low, high] = swapped ? ['yh', 'yl'] : ['yl', 'yh'];
  const [up, down] = [2 ** by, 2 ** (16 - by)];
  return `
p = ${low} * ${up}.0;
q = ${high} * ${up}.0;
r = Math.floor(${high} / ${down}.0);
t = Math.floor(${low} / ${down}.0);
yl = xor16(p - Math.floor(p / 65536.0) * 65536.0 + r, xl);
yh = xor16(q - Math.floor(q / 65536.0) * 65536.0 + t, xh);`;
}

function threefry(): string {
  let code = `
const i = this.thread.x;
const n = idiv(i, 2);
const nh = idiv(n, 65536);
const k0l = key[0];
const k0h = key[1];
const k1l = key[2];
const k1h = key[3];
const k2l = xor16(xor16(k0l, k1l), ${0x1bd11bda & 0xffff}.0);
const k2h = xor16(xor16(k0h, k1h), ${0x1bd11bda >>> 16}.0);
let xl = (n - nh * 65536) * 1.0;
let xh = nh * 1.0;
let yl = k1l;
let yh = k1h;
let p = 0.0;
let q = 0.0;
let r = 0.0;
let t = 0.0;${add('x', 'k0l', 'k0h')}`;
  for (let round = 0; round < 20; round++) {
    code += add('x', 'yl', 'yh') + turn(ROTATIONS[round & 7]!);
    if ((round & 3) !== 3) continue;
    const group = (round >> 2) + 1;
    const [a, b] = [group % 3, (group + 1) % 3];
    code +=
      add('x', `k${a}l`, `k${a}h`) + add('y', `k${b}l`, `k${b}h`) + add('y', `${group}.0`, '0.0');
  }
  return `${code}
if (imod(i, 2) === 1) { xl = yl; xh = yh; }
return xh * 256.0 + Math.floor(xl / 256.0);`;
}

export const creationKernels: OpKernels = {
  fill(kit, _, { shape, value, dtype }) {
    const layout = kit.layout(shape);
    const given = dtype === 'bool' ? Number(value !== 0) : value;
    return [
      kit.shared(`fill ${layout.width} ${layout.height}`, layout, [given], () => ({
        arguments: ['value'],
        script: 'return value;',
      })),
    ];
  },
  iota: (kit, _, { shape, axis }) => [
    kit.compute('each', shape, [], [], () => {
      const own = shape.map((_length, other) => (other === axis ? 1 : 0));
      const { code, at } = walk(shape, [own]);
      return `${code}return (${at[0]}) * 1.0;`;
    }),
  ],
  randomBits: (kit, [key], { shape }) => [
    kit.compute('each', shape, [limbsOf(kit, key!)], ['key'], threefry),
  ],
};
