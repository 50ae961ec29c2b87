/**
 * `lenet5_modern` trained on MNIST by recipes/lenet5.ts; cards/lenet5-mnist.md tells how and how well. LeCun, Bottou, Bengio and
 * Haffner 1998, "Gradient-based learning applied to document recognition".
 */

import { bytesOfBase64, type EmbeddedWeights } from '../embedded-weights.ts';
import { digits } from '../pretrained/class-names.ts';
import { base64 } from './generated/lenet5-mnist.ts';

export const lenet5Mnist: EmbeddedWeights = {
  architecture: 'lenet5_modern',
  classNames: digits,
  mean: 0.1307,
  std: 0.3081,
  accuracy: 0.9954,
  bytes: () => bytesOfBase64(base64),
};
