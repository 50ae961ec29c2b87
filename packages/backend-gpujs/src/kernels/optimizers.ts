// Optimiser steps over lists of parameters: a kernel for each result of a parameter. Parameters of one size share kernels, and
// rates are read from their tensors, so that a step compiles nothing after the first.

import { sizeOf, type AdamStepAttributes, type SgdStepAttributes } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { literal, type Kit, type OpKernels, type Value } from '../kernel.ts';

/** A kernel over tensors of one size; `rates` are rank-0 tensors. */
function update(
  kit: Kit,
  key: string,
  rates: Readonly<Record<string, Buffer>>,
  tensors: Readonly<Record<string, Value>>,
  statements: string,
): Buffer {
  const { shape } = Object.values(tensors)[0]!.spec;
  const layout = kit.layout(shape);
  if (sizeOf(shape) === 0) return kit.device.allocate(layout);
  const values = [
    ...Object.values(rates),
    ...Object.values(tensors).map((value) => kit.flat(value)),
  ];
  return kit.shared(`${key} ${layout.width} ${layout.height}`, layout, values, () => ({
    arguments: [
      ...Object.keys(rates).map((name) => `${name}Rate`),
      ...Object.keys(tensors).map((name) => `${name}s`),
    ],
    script: `const i = this.thread.x;
${Object.keys(rates)
  .map((name) => `const ${name} = ${name}Rate[0];\n`)
  .join('')}${Object.keys(tensors)
      .map((name) => `const ${name} = ${name}s[i];\n`)
      .join('')}${statements}`,
  }));
}

function sgd(
  kit: Kit,
  inputs: readonly Value[],
  { velocity, dampening, nesterov, weightDecay }: SgdStepAttributes,
): Buffer[] {
  const key = `sgd ${dampening} ${nesterov} ${weightDecay}`;
  const lr = kit.flat(inputs[0]!);
  const direction = `const d = g + p * ${literal(weightDecay)};\n`;
  if (!velocity) {
    const outputs: Buffer[] = [];
    for (let at = 1; at < inputs.length; at += 2) {
      const [p, g] = inputs.slice(at, at + 2) as [Value, Value];
      outputs.push(update(kit, key, { lr }, { p, g }, `${direction}return p - lr * d;`));
    }
    return outputs;
  }
  const momentum = kit.flat(inputs[1]!);
  const moved = `${direction}const moved = v * momentum + d * ${literal(1 - dampening)};\n`;
  const outputs: Buffer[] = [];
  for (let at = 2; at < inputs.length; at += 3) {
    const [p, g, v] = inputs.slice(at, at + 3) as [Value, Value, Value];
    const along = nesterov ? 'd + moved * momentum' : 'moved';
    outputs.push(
      update(
        kit,
        `${key} parameter`,
        { lr, momentum },
        { p, g, v },
        `${moved}return p - lr * (${along});`,
      ),
      update(kit, `${key} velocity`, { momentum }, { p, g, v }, `${moved}return moved;`),
    );
  }
  return outputs;
}

function adam(
  kit: Kit,
  inputs: readonly Value[],
  { beta2, epsilon, weightDecay, decoupled }: AdamStepAttributes,
): Buffer[] {
  const key = `adam ${beta2} ${epsilon} ${weightDecay} ${decoupled}`;
  const [lr, size, root, beta] = inputs.slice(0, 4).map((input) => kit.flat(input)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const joined = decoupled ? 'const d = g;\n' : `const d = g + p * ${literal(weightDecay)};\n`;
  const first = `${joined}const first = m * beta + d * (1.0 - beta);\n`;
  const second = `${joined}const second = v * ${literal(beta2)} + d * d * ${literal(1 - beta2)};\n`;
  const shrunk = decoupled ? `p - p * lr * ${literal(weightDecay)}` : 'p';
  const outputs: Buffer[] = [];
  for (let at = 4; at < inputs.length; at += 4) {
    const [p, g, m, v] = inputs.slice(at, at + 4) as [Value, Value, Value, Value];
    outputs.push(
      update(
        kit,
        `${key} parameter`,
        { lr, size, root, beta },
        { p, g, m, v },
        `${first}const second = v * ${literal(beta2)} + d * d * ${literal(1 - beta2)};
return ${shrunk} - size * first / (Math.sqrt(second) / root + ${literal(epsilon)});`,
      ),
      update(kit, `${key} first`, { beta }, { p, g, m }, `${first}return first;`),
      update(kit, `${key} second`, {}, { p, g, v }, `${second}return second;`),
    );
  }
  return outputs;
}

export const optimizerKernels: OpKernels = {
  sgdStep: (kit, inputs, attributes) => sgd(kit, inputs, attributes),
  adamStep: (kit, inputs, attributes) => adam(kit, inputs, attributes),
};
