/**
 * `lenet5_modern` trained on Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747) by recipes/lenet5.ts;
 * cards/lenet5-fashion-mnist.md tells how and how well.
 */

import { bytesOfBase64, type EmbeddedWeights } from '../embedded-weights.ts';
import { fashion } from '../pretrained/class-names.ts';
import { base64 } from './generated/lenet5-fashion-mnist.ts';

export const lenet5FashionMnist: EmbeddedWeights = {
  architecture: 'lenet5_modern',
  classNames: fashion,
  mean: 0.286,
  std: 0.353,
  accuracy: 0.9165,
  bytes: () => bytesOfBase64(base64),
};
