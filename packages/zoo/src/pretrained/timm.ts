// Weights on timm's hub, for the networks whose parameters timm calls as we do: its own names for Inception v4 and
// Inception-ResNet v2, torchvision's for the rest. VGG, EfficientNet, MobileNet, RegNet and ConvNeXt have others there.

import { imagenetPreprocess, type ResizeFilter } from '@convoke/image';

import type { PretrainedWeights } from './weights.ts';

interface Row {
  /** As on the hub: network, then tag. */
  readonly name: string;
  /** At the size of `crop`; some do better at a larger one. */
  readonly top1: number;
  readonly top5: number;
  /** The shorter side. */
  readonly resize: number;
  readonly crop: number;
  /** Default bicubic. */
  readonly filter?: ResizeFilter;
  /** Pictures in [-1, 1] instead of ImageNet's mean and deviation. */
  readonly signed?: true;
  /** Of the weights. Default Apache-2.0. */
  readonly licence?: string;
  readonly verified?: true;
}

// prettier-ignore
const rows: readonly Row[] = [
  { name: 'inception_v3.tv_in1k', top1: 77.472, top5: 93.468, resize: 341, crop: 299, signed: true },
  { name: 'inception_v3.tf_in1k', top1: 77.866, top5: 93.644, resize: 341, crop: 299, signed: true },
  { name: 'inception_v3.tf_adv_in1k', top1: 77.598, top5: 93.726, resize: 341, crop: 299, signed: true },
  { name: 'inception_v3.gluon_in1k', top1: 78.806, top5: 94.372, resize: 341, crop: 299 },
  { name: 'inception_v4.tf_in1k', top1: 80.144, top5: 94.982, resize: 341, crop: 299, signed: true, verified: true },
  { name: 'inception_resnet_v2.tf_in1k', top1: 80.434, top5: 95.312, resize: 333, crop: 299, signed: true },
  { name: 'inception_resnet_v2.tf_ens_adv_in1k', top1: 79.998, top5: 94.94, resize: 333, crop: 299, signed: true },
  { name: 'resnet18.a1_in1k', top1: 71.504, top5: 90.086, resize: 235, crop: 224 },
  { name: 'resnet18.a2_in1k', top1: 70.634, top5: 89.486, resize: 235, crop: 224 },
  { name: 'resnet18.a3_in1k', top1: 65.67, top5: 86.268, resize: 168, crop: 160 },
  { name: 'resnet34.a1_in1k', top1: 76.42, top5: 92.896, resize: 235, crop: 224 },
  { name: 'resnet34.a2_in1k', top1: 75.52, top5: 92.454, resize: 235, crop: 224 },
  { name: 'resnet34.a3_in1k', top1: 70.58, top5: 89.54, resize: 168, crop: 160 },
  { name: 'resnet34.bt_in1k', top1: 75.176, top5: 92.166, resize: 256, crop: 224 },
  { name: 'resnet34.ra4_e3600_r224_in1k', top1: 77.492, top5: 93.498, resize: 248, crop: 224, signed: true },
  { name: 'resnet50.a1_in1k', top1: 80.382, top5: 94.598, resize: 235, crop: 224 },
  { name: 'resnet50.a1h_in1k', top1: 79.264, top5: 94.498, resize: 195, crop: 176 },
  { name: 'resnet50.a2_in1k', top1: 79.828, top5: 94.56, resize: 235, crop: 224 },
  { name: 'resnet50.a3_in1k', top1: 75.994, top5: 92.494, resize: 168, crop: 160 },
  { name: 'resnet50.b1k_in1k', top1: 79.564, top5: 94.622, resize: 235, crop: 224 },
  { name: 'resnet50.b2k_in1k', top1: 79.388, top5: 94.58, resize: 235, crop: 224 },
  { name: 'resnet50.c1_in1k', top1: 79.766, top5: 94.954, resize: 235, crop: 224 },
  { name: 'resnet50.c2_in1k', top1: 79.868, top5: 94.862, resize: 235, crop: 224 },
  { name: 'resnet50.d_in1k', top1: 79.904, top5: 94.666, resize: 235, crop: 224 },
  { name: 'resnet50.ram_in1k', top1: 79.034, top5: 94.386, resize: 256, crop: 224 },
  { name: 'resnet50.am_in1k', top1: 79.004, top5: 94.392, resize: 256, crop: 224 },
  { name: 'resnet50.ra_in1k', top1: 78.82, top5: 94.314, resize: 256, crop: 224 },
  { name: 'resnet50.bt_in1k', top1: 78.444, top5: 94.274, resize: 256, crop: 224 },
  { name: 'resnet101.a1h_in1k', top1: 81.95, top5: 95.76, resize: 235, crop: 224 },
  { name: 'resnet101.a1_in1k', top1: 81.494, top5: 95.164, resize: 235, crop: 224 },
  { name: 'resnet101.a2_in1k', top1: 81.344, top5: 95.198, resize: 235, crop: 224 },
  { name: 'resnet101.a3_in1k', top1: 77.928, top5: 93.686, resize: 168, crop: 160 },
  { name: 'resnet152.a1h_in1k', top1: 82.818, top5: 96.124, resize: 235, crop: 224 },
  { name: 'resnet152.a1_in1k', top1: 81.998, top5: 95.294, resize: 235, crop: 224 },
  { name: 'resnet152.a2_in1k', top1: 81.764, top5: 95.27, resize: 235, crop: 224 },
  { name: 'resnet152.a3_in1k', top1: 78.896, top5: 94.14, resize: 168, crop: 160 },
  { name: 'resnet18.tv_in1k', top1: 69.752, top5: 89.082, resize: 256, crop: 224, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet34.tv_in1k', top1: 73.298, top5: 91.422, resize: 256, crop: 224, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet50.tv_in1k', top1: 76.156, top5: 92.866, resize: 256, crop: 224, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet50.tv2_in1k', top1: 79.434, top5: 94.64, resize: 201, crop: 176, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet101.tv_in1k', top1: 77.404, top5: 93.552, resize: 256, crop: 224, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet101.tv2_in1k', top1: 79.908, top5: 94.606, resize: 201, crop: 176, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet152.tv_in1k', top1: 78.33, top5: 94.046, resize: 256, crop: 224, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet152.tv2_in1k', top1: 80.222, top5: 94.65, resize: 201, crop: 176, filter: 'bilinear', licence: 'BSD-3-Clause' },
  { name: 'resnet18.fb_ssl_yfcc100m_ft_in1k', top1: 72.636, top5: 91.416, resize: 256, crop: 224, filter: 'bilinear', licence: 'CC-BY-NC-4.0' },
  { name: 'resnet50.fb_ssl_yfcc100m_ft_in1k', top1: 79.252, top5: 94.826, resize: 256, crop: 224, filter: 'bilinear', licence: 'CC-BY-NC-4.0' },
  { name: 'resnet18.fb_swsl_ig1b_ft_in1k', top1: 73.286, top5: 91.754, resize: 256, crop: 224, filter: 'bilinear', licence: 'CC-BY-NC-4.0' },
  { name: 'resnet50.fb_swsl_ig1b_ft_in1k', top1: 81.146, top5: 95.98, resize: 256, crop: 224, filter: 'bilinear', licence: 'CC-BY-NC-4.0' },
  { name: 'resnet18.gluon_in1k', top1: 70.844, top5: 89.75, resize: 256, crop: 224 },
  { name: 'resnet34.gluon_in1k', top1: 74.574, top5: 91.988, resize: 256, crop: 224 },
  { name: 'resnet50.gluon_in1k', top1: 77.58, top5: 93.704, resize: 256, crop: 224 },
  { name: 'resnet101.gluon_in1k', top1: 79.306, top5: 94.538, resize: 256, crop: 224 },
  { name: 'resnet152.gluon_in1k', top1: 79.712, top5: 94.72, resize: 256, crop: 224 },
  { name: 'densenet121.ra_in1k', top1: 75.574, top5: 92.648, resize: 256, crop: 224 },
  { name: 'densenet121.tv_in1k', top1: 74.75, top5: 92.158, resize: 256, crop: 224 },
  { name: 'densenet169.tv_in1k', top1: 75.922, top5: 92.976, resize: 256, crop: 224 },
  { name: 'densenet201.tv_in1k', top1: 77.284, top5: 93.48, resize: 256, crop: 224 },
];

const half = [0.5, 0.5, 0.5] as const;

function entryOf(row: Row): PretrainedWeights {
  const { name, top1, top5, signed, verified = false, licence = 'Apache-2.0', ...given } = row;
  const [model, tag] = name.split('.') as [string, string];
  const preprocess = imagenetPreprocess({ filter: 'bicubic', ...given });
  return {
    model,
    tag: `timm_${tag}`,
    origin: { kind: 'hub', reference: `hf:timm/${name}`, sha256: null, size: null },
    licence: { code: null, weights: licence, data: null },
    preprocess: signed ? { ...preprocess, mean: half, std: half } : preprocess,
    classes: 'imagenet-1k',
    numClasses: 1000,
    inChannels: 3,
    top1,
    top5,
    verified,
    ...(model === 'inception_v3' && {
      options: { auxiliary: false },
      mapping: { allowUnexpected: ['AuxLogits.'] },
    }),
  };
}

export const timm: readonly PretrainedWeights[] = rows.map(entryOf);
