// The door to sharp: loaded when first needed, so that what does not need it works without.

import type Sharp from 'sharp';

import { ImageError } from '../errors.ts';

/** Throws an ImageError that says what to install. */
export async function loadSharp(): Promise<typeof Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new ImageError(
      'missing',
      `reading and writing JPEG, PNG, WebP and GIF files on Node needs sharp, which cannot be loaded; run npm install sharp`,
      { cause },
    );
  }
}

/** sharp's messages carry a line a warning; the first says enough. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().split('\n')[0]!;
}
