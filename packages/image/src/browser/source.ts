// What the browser can make a picture of: files, whose bytes are read, and things that a canvas can draw.

import { ImageError } from '../errors.ts';
import { DEFAULT_NAME } from '../formats/options.ts';
import type { Size } from '../image.ts';

/** A string is an address. */
type FileSource = string | URL | Blob | Uint8Array | ArrayBuffer;

export type DrawableSource =
  | ImageBitmap
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | HTMLVideoElement
  | VideoFrame;

export type ImageSource = FileSource | DrawableSource | ImageData;

export function isFile(source: ImageSource): source is FileSource {
  return (
    typeof source === 'string' ||
    source instanceof URL ||
    source instanceof Blob ||
    source instanceof Uint8Array ||
    source instanceof ArrayBuffer
  );
}

export function nameOf(source: ImageSource): string {
  // A data: address would be the whole file.
  if (typeof source === 'string') return source.startsWith('data:') ? DEFAULT_NAME : source;
  if (source instanceof URL) return nameOf(source.href);
  if (source instanceof Blob && 'name' in source && typeof source.name === 'string') {
    return source.name;
  }
  return DEFAULT_NAME;
}

/** Throws an ImageError where the file cannot be fetched; rejects with the signal's reason where that aborts. */
export async function bytesOf(
  source: FileSource,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  try {
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    const response = await fetch(source, { signal: signal ?? null });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ImageError('read', `${name}: cannot be read (${(cause as Error).message})`, {
      cause,
    });
  }
}

/** The size in its own pixels, once it is known: an image element may still be loading. */
export async function naturalSize(source: DrawableSource, name: string): Promise<Size> {
  if (typeof HTMLImageElement !== 'undefined' && source instanceof HTMLImageElement) {
    await source.decode().catch((cause: unknown) => {
      throw new ImageError('read', `${name}: the image element has no picture`, { cause });
    });
    return { width: source.naturalWidth, height: source.naturalHeight };
  }
  if (typeof HTMLVideoElement !== 'undefined' && source instanceof HTMLVideoElement) {
    if (source.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      throw new ImageError('read', `${name}: the video has no frame yet; wait for 'loadeddata'`);
    }
    return { width: source.videoWidth, height: source.videoHeight };
  }
  if (typeof VideoFrame !== 'undefined' && source instanceof VideoFrame) {
    return { width: source.displayWidth, height: source.displayHeight };
  }
  const { width, height } = (source ?? {}) as ImageBitmap;
  if (typeof width !== 'number' || typeof height !== 'number') {
    throw new ImageError('argument', `${name}: give a file, an address, or something to draw`);
  }
  return { width, height };
}
