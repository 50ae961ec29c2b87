// Weights small enough to come as code, so that they need neither a file nor a download.

export interface EmbeddedWeights {
  /** What `createModel` is asked for. */
  readonly architecture: string;
  /** By the index of their logit. */
  readonly classNames: readonly string[];
  /** Inputs are (x - mean) / std of grey values x in [0, 1]. */
  readonly mean: number;
  readonly std: number;
  /** Share of the data set's 10,000 test images that are told right. */
  readonly accuracy: number;
  /** A safetensors file of float16. */
  bytes(): Uint8Array<ArrayBuffer>;
}

export const bytesOfBase64 = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
