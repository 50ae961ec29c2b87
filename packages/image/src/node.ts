// Decoding and encoding on Node, by sharp (an optional peer); BMP and PNM by this package alone.

export { decode, type DecodeNodeOptions, type ImageSource } from './node/decode.ts';
export { encode } from './node/encode.ts';
export type { DecodeOptions } from './formats/options.ts';
export type { EncodeOptions } from './formats/encode.ts';
