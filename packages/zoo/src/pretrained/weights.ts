// What is known of published weights: where they are, under what licence, what they were trained on, and how they want their
// pictures. Facts only: what is not known is null.

import type { Preprocess } from '@convoke/image';
import type { MapOptions, WeightsFile } from '@convoke/weights';

/** Where the bytes are. */
export type WeightsOrigin =
  | {
      /** A file on the web, taken by `@convoke/weights/hub`. */
      readonly kind: 'hub';
      /** A URL, or `hf:owner/name`; in Node a path too. */
      readonly reference: string;
      /** In full, or torchvision's 8 or more digits. Null: the hub records it at the first download. */
      readonly sha256: string | null;
      /** Bytes. */
      readonly size: number | null;
    }
  | {
      /** Weights that come with a package. */
      readonly kind: 'embedded';
      /** The file, of any format that `@convoke/weights` reads. */
      load(): Promise<Uint8Array>;
    }
  | {
      /** A file of one's own, with the names or the preprocessing of published weights. */
      readonly kind: 'file';
      /** By `openWeights`; closed after use. */
      open(): Promise<WeightsFile>;
    };

/** SPDX identifiers where there is one. They are not the same thing, and often only the first is stated. */
export interface Licences {
  readonly code: string | null;
  readonly weights: string | null;
  readonly data: string | null;
}

/** What the classes are, and in what order. */
export type ClassSet = 'imagenet-1k' | 'cifar-10' | 'cifar-100' | 'mnist' | 'fashion-mnist';

export interface PretrainedWeights {
  /** Name of the network in the zoo. */
  readonly model: string;
  /** Who published them, and which of theirs they are: `torchvision_v2`. */
  readonly tag: string;
  readonly origin: WeightsOrigin;
  readonly licence: Licences;
  /** What pictures go through; null where the publisher does not say. */
  readonly preprocess: Preprocess | null;
  readonly classes: ClassSet | null;
  readonly numClasses: number;
  readonly inChannels: number;
  /** In percent, on the validation set of the classes, with this preprocessing, as published. */
  readonly top1: number | null;
  readonly top5: number | null;
  /** Whether a test holds the names and shapes against a state dict of the publisher's software or file. */
  readonly verified: boolean;
  /** Options of the family that these weights need, such as `{ shortcut: 'A-centred' }`. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** How the file's names become ours, where the usual rules of `mapWeights` are not enough. */
  readonly mapping?: MapOptions | undefined;
}

/** Whether using them has to be agreed to: the licence is not stated, or not for commercial use. */
export function needsAcceptance({ licence }: PretrainedWeights): boolean {
  return licence.weights === null || /(^|-)nc(-|$)|non-?commercial/i.test(licence.weights);
}
