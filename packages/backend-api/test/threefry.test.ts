import { expect, test } from 'vitest';

import { threefry2x32 } from '../src/index.ts';

// Known-answer vectors that the authors publish with their Random123 library (threefry2x32, 20 rounds).
const vectors: [key: [number, number], counter: [number, number], result: [number, number]][] = [
  [
    [0, 0],
    [0, 0],
    [0x6b200159, 0x99ba4efe],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x1cb996fc, 0xbb002be7],
  ],
  [
    [0x13198a2e, 0x03707344],
    [0x243f6a88, 0x85a308d3],
    [0xc4923a9c, 0x483df7a0],
  ],
];

test.each(vectors)('key %j and counter %j give %j', (key, counter, result) => {
  expect(threefry2x32(...key, ...counter)).toEqual(result);
});
