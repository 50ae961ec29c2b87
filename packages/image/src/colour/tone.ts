// Tables of 256 entries: gamma, inversion, posterising, solarising, and the two that are made of a picture's histogram. Alpha
// stays as it is.

import { ImageError } from '../errors.ts';
import { blank, requireBytes, requireNumber, type Image } from '../image.ts';

type Tone = (value: number) => number;

function table(tone: Tone): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, value) => Math.min(255, Math.max(0, tone(value))));
}

/** One table for all colour channels, or one a channel. */
function apply(image: Image, tables: Uint8Array | readonly Uint8Array[]): Image {
  const result = blank(image, image);
  const { data, channels } = image;
  for (let c = 0; c < channels; c++) {
    const entries = tables instanceof Uint8Array ? tables : tables[c]!;
    const alpha = c === 3;
    for (let i = c; i < data.length; i += channels) {
      result.data[i] = alpha ? data[i]! : entries[data[i]!]!;
    }
  }
  return result;
}

export interface GammaOptions {
  /** Below 1 brightens shadows, above 1 darkens them. */
  readonly gamma: number;
  /** Default: 1. */
  readonly gain?: number | undefined;
}

/** 255 * gain * (value / 255) ** gamma, in torchvision's rounding. Throws an ImageError for a negative gamma. */
export function gamma(image: Image, { gamma: exponent, gain = 1 }: GammaOptions): Image {
  requireBytes(image, 'gamma');
  requireNumber(exponent, 'gamma', 0);
  requireNumber(gain, "gamma's gain", 0);
  return apply(
    image,
    table((value) => Math.trunc(255.999 * gain * (value / 255) ** exponent)),
  );
}

/** 255 - value. */
export function invert(image: Image): Image {
  requireBytes(image, 'invert');
  return apply(
    image,
    table((value) => 255 - value),
  );
}

/** Keeps the `bits` highest bits, 0 to 8. */
export function posterize(image: Image, bits: number): Image {
  requireBytes(image, 'posterize');
  if (!Number.isInteger(bits) || bits < 0 || bits > 8) {
    throw new ImageError('argument', `posterize keeps 0 to 8 bits, not ${bits}`);
  }
  const mask = ~((1 << (8 - bits)) - 1);
  return apply(
    image,
    table((value) => value & mask),
  );
}

/** Inverts the values of at least `threshold`. */
export function solarize(image: Image, threshold: number): Image {
  requireBytes(image, 'solarize');
  requireNumber(threshold, "solarize's threshold");
  return apply(
    image,
    table((value) => (value < threshold ? value : 255 - value)),
  );
}

function histogram({ data, channels }: Image, channel: number): Uint32Array {
  const counts = new Uint32Array(256);
  for (let i = channel; i < data.length; i += channels) counts[data[i]!]!++;
  return counts;
}

/** One table a colour channel, of its histogram. */
function applyByHistogram(image: Image, toneOf: (counts: Uint32Array) => Tone): Image {
  const colours = Math.min(image.channels, 3);
  const tables = Array.from({ length: colours }, (_, c) => table(toneOf(histogram(image, c))));
  return apply(image, tables);
}

const identity: Tone = (value) => value;

/** Spreads each channel's values so that all are about equally frequent, as Pillow's `ImageOps.equalize`. */
export function equalize(image: Image): Image {
  requireBytes(image, 'equalize');
  return applyByHistogram(image, (counts) => {
    const last = counts.findLast((count) => count > 0) ?? 0;
    const total = image.width * image.height;
    const step = Math.floor((total - last) / 255);
    if (step === 0) return identity;
    let sum = Math.floor(step / 2);
    const tones = Array.from(counts, (count) => {
      const tone = Math.floor(sum / step);
      sum += count;
      return tone;
    });
    return (value) => tones[value]!;
  });
}

export interface AutocontrastOptions {
  /** Percent of the pixels that may be cut at each end. Default: 0. */
  readonly cutoff?: number | undefined;
}

/** Stretches each channel to the full range, as Pillow's `ImageOps.autocontrast`. */
export function autocontrast(image: Image, { cutoff = 0 }: AutocontrastOptions = {}): Image {
  requireBytes(image, 'autocontrast');
  if (!(cutoff >= 0 && cutoff < 50)) {
    throw new ImageError(
      'argument',
      `autocontrast cuts 0 to 50 percent at each end, not ${cutoff}`,
    );
  }
  const cut = Math.floor((image.width * image.height * cutoff) / 100);
  return applyByHistogram(image, (counts) => {
    const kept = counts.slice();
    trim(kept, cut, [...kept.keys()]);
    trim(kept, cut, [...kept.keys()].toReversed());
    const low = kept.findIndex((count) => count > 0);
    const high = kept.findLastIndex((count) => count > 0);
    if (high <= low) return identity;
    const scale = 255 / (high - low);
    return (value) => Math.trunc(value * scale - low * scale);
  });
}

/** Takes `count` pixels out of a histogram, beginning with the values that come first in `order`. */
function trim(counts: Uint32Array, count: number, order: readonly number[]): void {
  let rest = count;
  for (const value of order) {
    const taken = Math.min(rest, counts[value]!);
    counts[value]! -= taken;
    rest -= taken;
    if (rest === 0) return;
  }
}
