// Tells a case's kind by its content: attributes, inputs and numbers, never by its id or the name of its file. The table:
//
//   op among the attributes        the kind of that name: activations, losses, shuffles, squeeze_excite
//   output_padding, weight         conv_transpose2d
//   stride, padding, weight of rank 4  conv2d
//   kernel, dilation               max_pool2d
//   kernel, count_include_pad      avg_pool2d
//   output                         adaptive_max_pool2d or adaptive_avg_pool2d, whichever the outputs are nearer to; else both
//   training, steps                batch_norm, several batches     training, running_mean   batch_norm, one
//   normalized_shape or channels_first   layer_norm                eps, groups              group_norm
//   size, alpha, beta, k           local_response_norm             label_smoothing          cross_entropy
//   dim                            softmax where the outputs add up to more than 0, else log_softmax
//   mode, align_corners            interpolate                     pad_left_right_top_bottom  pad
//   bias, weight of rank 2         linear
//
// Each kind states its own line as data; the first that fits is taken.

import type { GoldenCase } from './case.ts';
import type { Kind } from './kind.ts';
import { activationKinds } from './kinds/activations.ts';
import { convolutionKinds } from './kinds/convolution.ts';
import { imageKinds } from './kinds/images.ts';
import { lossKinds } from './kinds/losses.ts';
import { normalizationKinds } from './kinds/normalization.ts';
import { poolingKinds } from './kinds/pooling.ts';

const kinds: readonly Kind[] = [
  ...convolutionKinds,
  ...poolingKinds,
  ...normalizationKinds,
  ...activationKinds,
  ...lossKinds,
  ...imageKinds,
];

/** The kind of a case that core's ops compute, or null. Throws a DataError where the case lacks what its kind needs. */
export function kindOf(goldenCase: GoldenCase): Kind | null {
  const { op } = goldenCase.attrs;
  return (
    kinds.find(({ name, attrs, inputs, when }) => {
      if (typeof op === 'string') return name === op;
      return (
        attrs.every((key) => key in goldenCase.attrs) &&
        inputs.every((key) => key in (goldenCase.inputs ?? {})) &&
        (when?.(goldenCase) ?? true)
      );
    }) ?? null
  );
}

/** How tables call the case's kind, also where another package runs it. */
export function kindName(goldenCase: GoldenCase): string {
  const { op, optimizer, schedule } = goldenCase.attrs;
  if (typeof optimizer === 'string') return `optimizer ${optimizer}`;
  if (typeof schedule === 'string') return `schedule ${schedule}`;
  if (typeof goldenCase.attrs['arch'] === 'string') return `network ${goldenCase.attrs['arch']}`;
  const named = op ?? goldenCase['op'];
  return kindOf(goldenCase)?.name ?? (typeof named === 'string' ? named : 'unrecognised');
}
