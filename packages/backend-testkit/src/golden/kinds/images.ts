// Resizing, padding and the shuffles as golden kinds.

import { channelShuffle, interpolate, pad, pixelShuffle, pixelUnshuffle } from '@convoke/core';

import { DataError } from '@convoke/backend-api';

import { flagOf, numberOf, numbersOf, pairOf, wordOf } from '../attributes.ts';
import type { Kind } from '../kind.ts';

export const imageKinds: readonly Kind[] = [
  {
    name: 'interpolate',
    attrs: ['mode', 'align_corners'],
    inputs: ['x'],
    when: ({ attrs }) => 'size' in attrs || 'scale_factor' in attrs,
    compute: (inputs, attrs) => ({
      y: interpolate(inputs.of('x'), {
        ...(attrs['size'] === undefined || attrs['size'] === null
          ? { scaleFactor: pairOf(attrs, 'scale_factor') }
          : { size: pairOf(attrs, 'size') }),
        mode: wordOf(attrs, 'mode', ['nearest', 'nearest-exact', 'bilinear', 'bicubic', 'area']),
        alignCorners: flagOf(attrs, 'align_corners'),
        antialias: flagOf(attrs, 'antialias'),
        recomputeScaleFactor: flagOf(attrs, 'recompute_scale_factor'),
      }),
    }),
  },
  {
    name: 'pad',
    attrs: ['mode', 'pad_left_right_top_bottom'],
    inputs: ['x'],
    compute: (inputs, attrs) => {
      const [left, right, top, bottom, ...rest] = numbersOf(attrs, 'pad_left_right_top_bottom');
      if (bottom === undefined || rest.length > 0) {
        throw new DataError("golden case: 'pad_left_right_top_bottom' expects four numbers");
      }
      return {
        y: pad(inputs.of('x'), {
          padding: [
            [top!, bottom],
            [left!, right!],
          ],
          mode: wordOf(attrs, 'mode', ['constant', 'reflect', 'replicate', 'circular']),
          value: numberOf(attrs, 'value', 0),
        }),
      };
    },
  },
  {
    name: 'pixel_shuffle',
    attrs: ['op', 'factor'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({
      y: pixelShuffle(inputs.of('x'), { factor: numberOf(attrs, 'factor') }),
    }),
  },
  {
    name: 'pixel_unshuffle',
    attrs: ['op', 'factor'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({
      y: pixelUnshuffle(inputs.of('x'), { factor: numberOf(attrs, 'factor') }),
    }),
  },
  {
    name: 'channel_shuffle',
    attrs: ['op', 'groups'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({
      y: channelShuffle(inputs.of('x'), { groups: numberOf(attrs, 'groups') }),
    }),
  },
];
