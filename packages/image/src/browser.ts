// Decoding and encoding in browsers, on pages and in workers, by the platform: 8 bits a value.

export { decode, type ImageSource } from './browser/decode.ts';
export { encode, toImageData } from './browser/encode.ts';
export type { DecodeOptions } from './formats/options.ts';
export type { EncodeOptions } from './formats/encode.ts';
