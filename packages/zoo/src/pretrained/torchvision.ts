// torchvision's weights: files, accuracies and preprocessing as its documentation has them. Left out are `vgg16`'s
// IMAGENET1K_FEATURES, which have no classifier.

import { imagenetPreprocess, type ResizeFilter } from '@convoke/image';

import type { PretrainedWeights } from './weights.ts';

interface Row {
  readonly model: string;
  /** Of the recipe: IMAGENET1K_V1 or _V2. */
  readonly version: 'v1' | 'v2';
  /** Ends in the first digits of its sha256. */
  readonly file: string;
  readonly top1: number;
  readonly top5: number;
  /** The shorter side. Default 256. */
  readonly resize?: number;
  /** Default 224. */
  readonly crop?: number;
  /** Default bilinear. */
  readonly filter?: ResizeFilter;
  readonly verified?: true;
}

// prettier-ignore
const rows: readonly Row[] = [
  { model: 'alexnet', version: 'v1', file: 'alexnet-owt-7be5be79.pth', top1: 56.522, top5: 79.066, verified: true },
  { model: 'vgg11', version: 'v1', file: 'vgg11-8a719046.pth', top1: 69.02, top5: 88.628, verified: true },
  { model: 'vgg11_bn', version: 'v1', file: 'vgg11_bn-6002323d.pth', top1: 70.37, top5: 89.81, verified: true },
  { model: 'vgg13', version: 'v1', file: 'vgg13-19584684.pth', top1: 69.928, top5: 89.246, verified: true },
  { model: 'vgg13_bn', version: 'v1', file: 'vgg13_bn-abd245e5.pth', top1: 71.586, top5: 90.374, verified: true },
  { model: 'vgg16', version: 'v1', file: 'vgg16-397923af.pth', top1: 71.592, top5: 90.382, verified: true },
  { model: 'vgg16_bn', version: 'v1', file: 'vgg16_bn-6c64b313.pth', top1: 73.36, top5: 91.516, verified: true },
  { model: 'vgg19', version: 'v1', file: 'vgg19-dcbb9e9d.pth', top1: 72.376, top5: 90.876, verified: true },
  { model: 'vgg19_bn', version: 'v1', file: 'vgg19_bn-c79401a0.pth', top1: 74.218, top5: 91.842, verified: true },
  { model: 'resnet18', version: 'v1', file: 'resnet18-f37072fd.pth', top1: 69.758, top5: 89.078, verified: true },
  { model: 'resnet34', version: 'v1', file: 'resnet34-b627a593.pth', top1: 73.314, top5: 91.42, verified: true },
  { model: 'resnet50', version: 'v1', file: 'resnet50-0676ba61.pth', top1: 76.13, top5: 92.862, verified: true },
  { model: 'resnet50', version: 'v2', file: 'resnet50-11ad3fa6.pth', top1: 80.858, top5: 95.434, resize: 232, verified: true },
  { model: 'resnet101', version: 'v1', file: 'resnet101-63fe2227.pth', top1: 77.374, top5: 93.546, verified: true },
  { model: 'resnet101', version: 'v2', file: 'resnet101-cd907fc2.pth', top1: 81.886, top5: 95.78, resize: 232, verified: true },
  { model: 'resnet152', version: 'v1', file: 'resnet152-394f9c45.pth', top1: 78.312, top5: 94.046, verified: true },
  { model: 'resnet152', version: 'v2', file: 'resnet152-f82ba261.pth', top1: 82.284, top5: 96.002, resize: 232, verified: true },
  { model: 'resnext50_32x4d', version: 'v1', file: 'resnext50_32x4d-7cdf4587.pth', top1: 77.618, top5: 93.698, verified: true },
  { model: 'resnext50_32x4d', version: 'v2', file: 'resnext50_32x4d-1a0047aa.pth', top1: 81.198, top5: 95.34, resize: 232, verified: true },
  { model: 'resnext101_32x8d', version: 'v1', file: 'resnext101_32x8d-8ba56ff5.pth', top1: 79.312, top5: 94.526, verified: true },
  { model: 'resnext101_32x8d', version: 'v2', file: 'resnext101_32x8d-110c445d.pth', top1: 82.834, top5: 96.228, resize: 232, verified: true },
  { model: 'wide_resnet50_2', version: 'v1', file: 'wide_resnet50_2-95faca4d.pth', top1: 78.468, top5: 94.086, verified: true },
  { model: 'wide_resnet50_2', version: 'v2', file: 'wide_resnet50_2-9ba9bcbe.pth', top1: 81.602, top5: 95.758, resize: 232, verified: true },
  { model: 'wide_resnet101_2', version: 'v1', file: 'wide_resnet101_2-32ee1156.pth', top1: 78.848, top5: 94.284, verified: true },
  { model: 'wide_resnet101_2', version: 'v2', file: 'wide_resnet101_2-d733dc28.pth', top1: 82.51, top5: 96.02, resize: 232, verified: true },
  { model: 'googlenet', version: 'v1', file: 'googlenet-1378be20.pth', top1: 69.778, top5: 89.53, verified: true },
  { model: 'inception_v3', version: 'v1', file: 'inception_v3_google-0cc3c7bd.pth', top1: 77.294, top5: 93.45, resize: 342, crop: 299, verified: true },
  { model: 'mobilenet_v2', version: 'v1', file: 'mobilenet_v2-b0353104.pth', top1: 71.878, top5: 90.286, verified: true },
  { model: 'mobilenet_v2', version: 'v2', file: 'mobilenet_v2-7ebf99e0.pth', top1: 72.154, top5: 90.822, resize: 232, verified: true },
  { model: 'mobilenet_v3_large', version: 'v1', file: 'mobilenet_v3_large-8738ca79.pth', top1: 74.042, top5: 91.34, verified: true },
  { model: 'mobilenet_v3_large', version: 'v2', file: 'mobilenet_v3_large-5c1a4163.pth', top1: 75.274, top5: 92.566, resize: 232, verified: true },
  { model: 'mobilenet_v3_small', version: 'v1', file: 'mobilenet_v3_small-047dcff4.pth', top1: 67.668, top5: 87.402, verified: true },
  { model: 'efficientnet_b0', version: 'v1', file: 'efficientnet_b0_rwightman-7f5810bc.pth', top1: 77.692, top5: 93.532, filter: 'bicubic', verified: true },
  { model: 'efficientnet_b1', version: 'v1', file: 'efficientnet_b1_rwightman-bac287d4.pth', top1: 78.642, top5: 94.186, crop: 240, filter: 'bicubic', verified: true },
  { model: 'efficientnet_b1', version: 'v2', file: 'efficientnet_b1-c27df63c.pth', top1: 79.838, top5: 94.934, resize: 255, crop: 240, verified: true },
  { model: 'efficientnet_b2', version: 'v1', file: 'efficientnet_b2_rwightman-c35c1473.pth', top1: 80.608, top5: 95.31, resize: 288, crop: 288, filter: 'bicubic', verified: true },
  { model: 'efficientnet_b3', version: 'v1', file: 'efficientnet_b3_rwightman-b3899882.pth', top1: 82.008, top5: 96.054, resize: 320, crop: 300, filter: 'bicubic', verified: true },
  { model: 'efficientnet_b4', version: 'v1', file: 'efficientnet_b4_rwightman-23ab8bcd.pth', top1: 83.384, top5: 96.594, resize: 384, crop: 380, filter: 'bicubic', verified: true },
  { model: 'efficientnet_b5', version: 'v1', file: 'efficientnet_b5_lukemelas-1a07897c.pth', top1: 83.444, top5: 96.628, resize: 456, crop: 456, filter: 'bicubic', verified: true },
  { model: 'efficientnet_b6', version: 'v1', file: 'efficientnet_b6_lukemelas-24a108a5.pth', top1: 84.008, top5: 96.916, resize: 528, crop: 528, filter: 'bicubic', verified: true },
  { model: 'efficientnet_b7', version: 'v1', file: 'efficientnet_b7_lukemelas-c5b4e57e.pth', top1: 84.122, top5: 96.908, resize: 600, crop: 600, filter: 'bicubic', verified: true },
  { model: 'efficientnet_v2_s', version: 'v1', file: 'efficientnet_v2_s-dd5fe13b.pth', top1: 84.228, top5: 96.878, resize: 384, crop: 384, verified: true },
  { model: 'squeezenet1_0', version: 'v1', file: 'squeezenet1_0-b66bff10.pth', top1: 58.092, top5: 80.42, verified: true },
  { model: 'squeezenet1_1', version: 'v1', file: 'squeezenet1_1-b8a52dc0.pth', top1: 58.178, top5: 80.624, verified: true },
  { model: 'densenet121', version: 'v1', file: 'densenet121-a639ec97.pth', top1: 74.434, top5: 91.972 },
  { model: 'densenet169', version: 'v1', file: 'densenet169-b2777c0a.pth', top1: 75.6, top5: 92.806 },
  { model: 'densenet201', version: 'v1', file: 'densenet201-c1103571.pth', top1: 76.896, top5: 93.37 },
  { model: 'shufflenet_v2_x1_0', version: 'v1', file: 'shufflenetv2_x1-5666bf0f80.pth', top1: 69.362, top5: 88.316, verified: true },
  { model: 'shufflenet_v2_x0_5', version: 'v1', file: 'shufflenetv2_x0.5-f707e7126e.pth', top1: 60.552, top5: 81.746, verified: true },
  { model: 'shufflenet_v2_x1_5', version: 'v1', file: 'shufflenetv2_x1_5-3c479a10.pth', top1: 72.996, top5: 91.086, resize: 232, verified: true },
  { model: 'shufflenet_v2_x2_0', version: 'v1', file: 'shufflenetv2_x2_0-8be3c8ee.pth', top1: 76.23, top5: 93.006, resize: 232, verified: true },
  { model: 'mnasnet1_0', version: 'v1', file: 'mnasnet1.0_top1_73.512-f206786ef8.pth', top1: 73.456, top5: 91.51, verified: true },
  { model: 'convnext_tiny', version: 'v1', file: 'convnext_tiny-983f1562.pth', top1: 82.52, top5: 96.146, resize: 236, verified: true },
  { model: 'convnext_small', version: 'v1', file: 'convnext_small-0c510722.pth', top1: 83.616, top5: 96.65, resize: 230, verified: true },
  { model: 'regnet_y_400mf', version: 'v1', file: 'regnet_y_400mf-c65dace8.pth', top1: 74.046, top5: 91.716, verified: true },
  { model: 'regnet_y_400mf', version: 'v2', file: 'regnet_y_400mf-e6988f5f.pth', top1: 75.804, top5: 92.742, resize: 232, verified: true },
  { model: 'regnet_y_800mf', version: 'v1', file: 'regnet_y_800mf-1b27b58c.pth', top1: 76.42, top5: 93.136, verified: true },
  { model: 'regnet_y_800mf', version: 'v2', file: 'regnet_y_800mf-58fc7688.pth', top1: 78.828, top5: 94.502, resize: 232, verified: true },
  { model: 'regnet_y_1_6gf', version: 'v1', file: 'regnet_y_1_6gf-b11a554e.pth', top1: 77.95, top5: 93.966, verified: true },
  { model: 'regnet_y_1_6gf', version: 'v2', file: 'regnet_y_1_6gf-0d7bc02a.pth', top1: 80.876, top5: 95.444, resize: 232, verified: true },
];

/** What some networks need besides. */
const particulars: Readonly<Record<string, Pick<PretrainedWeights, 'options' | 'mapping'>>> = {
  // Ported from TensorFlow, which wants [-1, 1]; the auxiliary classifiers in the file are not trained.
  googlenet: {
    options: { transformInput: true, auxiliary: false },
    mapping: { allowUnexpected: ['aux1.', 'aux2.'] },
  },
  inception_v3: { options: { transformInput: true } },
  ...Object.fromEntries(
    ['densenet121', 'densenet169', 'densenet201'].map((model) => [
      model,
      { mapping: { rename: denseLayerName } },
    ]),
  ),
};

/** The files are from before layers in a block were numbered without a dot: `denselayer1.norm.1.weight`. */
function denseLayerName(name: string): string {
  return name.replace(/(denselayer\d+\.(?:norm|relu|conv))\.(\d)\./, '$1$2.');
}

function entryOf(row: Row): PretrainedWeights {
  const { model, version, file, top1, top5, verified = false, ...preprocess } = row;
  return {
    model,
    tag: `torchvision_${version}`,
    origin: {
      kind: 'hub',
      reference: `https://download.pytorch.org/models/${file}`,
      sha256: /-([0-9a-f]{8,})\.pth$/.exec(file)![1]!,
      size: null,
    },
    licence: { code: 'BSD-3-Clause', weights: null, data: null },
    preprocess: imagenetPreprocess(preprocess),
    classes: 'imagenet-1k',
    numClasses: 1000,
    inChannels: 3,
    top1,
    top5,
    verified,
    ...particulars[model],
  };
}

export const torchvision: readonly PretrainedWeights[] = rows.map(entryOf);
