// Sums over the pixels of each channel, on texels of four channels: threads sum some of the samples and rows, then a second
// kernel sums the threads' parts.

import { sizeOf } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { blocksOf, coordinates, gather, LANE } from '../images.ts';
import type { Kit, Value } from '../kernel.ts';
import { chunksOf } from './packed-filter-gradient.ts';

/** Whether these values can be had as images that hold something. */
export function hasImages(kit: Kit, images: readonly Value[]): boolean {
  return (
    kit.device.packs &&
    images.every(({ spec }) => spec.shape.length === 4 && sizeOf(spec.shape) > 0)
  );
}

/**
 * Tensors [C], one for each of `parts`. `terms` are what is summed: GLSL expressions in `x0`, `x1`, … (texels of the images)
 * and `c0`, `c1`, … (of the channels' flat values). `finish` makes the result of a sum `s`.
 */
export function channelSums(
  kit: Kit,
  step: string,
  images: readonly Value[],
  perChannel: readonly Buffer[],
  terms: readonly string[],
  finish = 's',
): Buffer[] {
  const [n, channels, height, width] = images[0]!.spec.shape as [number, number, number, number];
  const blocks = blocksOf(channels);
  const chunks = chunksOf(n, height, blocks);
  const layout = kit.texels(chunks.count * blocks);
  const values = [...images.map((image) => kit.image(image)), ...perChannel];
  const sums = kit.launchParts(`${step} partial`, layout, values, () => ({
    arguments: [...images.map((_, i) => `image${i}`), ...perChannel.map((_, i) => `channel${i}`)],
    parts: terms.length,
    glsl: `vec4 compute() {
${coordinates({ chunk: chunks.count, block: blocks })}
${chunks.code}${perChannel.map((_, i) => `vec4 c${i} = ${gather(`channel${i}`, 'block * 4', 1, 'block * 4', channels)};\n`).join('')}${terms.map((_, i) => `vec4 s${i} = vec4(0.0);\n`).join('')}for (int n = n0; n < n1; n++) {
for (int y = y0; y < y1; y++) {
int from = ((n * ${blocks} + block) * ${height} + y) * ${width};
for (int x = 0; x < ${width}; x++) {
${images.map((_, i) => `vec4 x${i} = image${i}_at(from + x);\n`).join('')}${terms.map((term, i) => `s${i} += ${term};\n`).join('')}}
}
}
${terms
  .slice(1)
  .map((_, i) => `subKernelResult_part${i + 1} = s${i + 1};\n`)
  .join('')}return s0;
}`,
  }));
  return sums.map((partial) =>
    kit.launch(`${step} total`, kit.layout([channels]), [kit.passing(partial)], () => ({
      arguments: ['partial'],
      glsl: `${LANE}
float compute() {
float s = 0.0;
for (int chunk = 0; chunk < ${chunks.count}; chunk++) {
s += lane(partial_at(chunk * ${blocks} + index / 4), index % 4);
}
return ${finish};
}`,
    })),
  );
}
