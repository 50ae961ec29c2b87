// Batch normalisation on images of four channels a texel: what depends on the channel alone is computed once a channel, as texels
// too, so that a pixel takes few reads.

import type { Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { blocksOf, coordinates, gather, texelsOf } from '../images.ts';
import { literal, type Kit, type Value } from '../kernel.ts';
import { Storage } from '../storage.ts';
import { channelSums } from './channel-sums.ts';

/** Texels of channels, one buffer for each of the GLSL expressions in `c0`, `c1`, …: texels of tensors [C]. */
function ofChannels(
  kit: Kit,
  channels: number,
  tensors: readonly Buffer[],
  expressions: readonly string[],
): readonly Buffer[] {
  const made = kit.launchParts('channels', kit.texels(blocksOf(channels)), tensors, () => {
    const ends = [0, 1, 2, 3].map((lane) => `float(index * 4 + ${lane} < ${channels})`);
    return {
      arguments: tensors.map((_, i) => `channel${i}`),
      parts: expressions.length,
      glsl: `vec4 compute() {
${tensors.map((_, i) => `vec4 c${i} = ${gather(`channel${i}`, 'index * 4', 1, 'index * 4', channels)};\n`).join('')}${expressions
        .map((expression, i) => `vec4 r${i} = (${expression}) * vec4(${ends.join(', ')});\n`)
        .join('')}${expressions
        .slice(1)
        .map((_, i) => `subKernelResult_part${i + 1} = r${i + 1};\n`)
        .join('')}return r0;
}`,
    };
  });
  for (const buffer of made) kit.passing(buffer);
  return made;
}

/** An image whose texels are a GLSL expression in `x0`, … (texels of the images) and `c0`, … (of their channels). */
function pixels(
  kit: Kit,
  images: readonly Value[],
  channels: readonly Buffer[],
  expression: string,
): Storage {
  const { shape } = images[0]!.spec;
  const values = [...images.map((image) => kit.image(image)), ...channels];
  const made = kit.launch('pixels', kit.texels(texelsOf(shape)), values, () => ({
    arguments: [...images.map((_, i) => `image${i}`), ...channels.map((_, i) => `channel${i}`)],
    glsl: `vec4 compute() {
${coordinates({ n: 1, block: blocksOf(shape[1]!), pixel: shape[2]! * shape[3]! })}
${images.map((_, i) => `vec4 x${i} = image${i}_at(index);\n`).join('')}${channels
      .map((_, i) => `vec4 c${i} = channel${i}_at(block);\n`)
      .join('')}return ${expression};
}`,
  }));
  return Storage.ofImage(made, shape);
}

/** (x - mean) / sqrt(variance + epsilon) * weight + bias */
export function packedNormalize(
  kit: Kit,
  x: Value,
  [weight, bias, mean, variance]: readonly [Buffer, Buffer, Buffer, Buffer],
  epsilon: number,
): Storage {
  const scale = `c0 / sqrt(c3 + ${literal(epsilon)})`;
  const channels = ofChannels(
    kit,
    x.spec.shape[1]!,
    [weight, bias, mean, variance],
    [scale, 'c1', 'c2'],
  );
  return pixels(kit, [x], channels, '(x0 - c2) * c0 + c1');
}

const perChannel = ([n, , height, width]: Shape): string => literal(n! * height! * width!);

/** Mean and variance of each channel. */
export function packedMoments(kit: Kit, x: Value): [Buffer, Buffer] {
  const finish = `s / ${perChannel(x.spec.shape)}`;
  const [mean] = channelSums(kit, 'mean', [x], [], ['x0'], finish);
  const squares = ['(x0 - c0) * (x0 - c0)'];
  const [variance] = channelSums(kit, 'variance', [x], [mean!], squares, finish);
  return [mean!, variance!];
}

/** Gradients with respect to x, weight and bias. */
export function packedNormalizeGradient(
  kit: Kit,
  gradient: Value,
  x: Value,
  [weight, mean, variance]: readonly [Buffer, Buffer, Buffer],
  epsilon: number,
): [Storage, Buffer, Buffer] {
  const inverse = (variances: string): string => `inversesqrt(${variances} + ${literal(epsilon)})`;
  const terms = ['x0', `x0 * (x1 - c0) * ${inverse('c1')}`];
  const [sums, products] = channelSums(kit, 'sums', [gradient, x], [mean, variance], terms);
  const count = perChannel(x.spec.shape);
  const scale = `c0 * ${inverse('c2')}`;
  const tensors = [weight, mean, variance, sums!, products!];
  const channels = ofChannels(kit, x.spec.shape[1]!, tensors, [
    scale,
    'c1',
    `c3 / ${count}`,
    `c4 * ${inverse('c2')} / ${count}`,
  ]);
  const dx = pixels(kit, [gradient, x], channels, 'c0 * (x0 - c2 - (x1 - c1) * c3)');
  return [dx, products!, sums!];
}
