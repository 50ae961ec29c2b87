// Weighted sums of windows along an axis.

import { roundAxis, split, sumOf } from '../indexing.ts';
import type { OpKernels } from '../kernel.ts';

export const resamplingKernels: OpKernels = {
  resample: (kit, [x, weights, starts], { axis }, [output]) => {
    const from = [x, weights, starts].map((value) => kit.flat(value!));
    return [
      kit.compute('each', output!.shape, from, ['x', 'weights', 'starts'], () => {
        const [length, taps] = [x!.spec.shape[axis]!, weights!.spec.shape[1]!];
        if (length * taps === 0) return 'return 0.0;';
        const [outer, windows, inner] = roundAxis(output!.shape, axis);
        const { code, names } = split('i', [outer, windows, inner], 'c');
        const at = sumOf(0, [
          [names[0]!, length * inner],
          ['place', inner],
          [names[2]!, 1],
        ]);
        return `const i = this.thread.x;
${code}const start = whole(starts[${names[1]}]);
let s = 0.0;
for (let t = 0; t < ${taps}; t++) {
const place = start + t;
if (place >= 0 && place < ${length}) {
const weight = weights[${names[1]} * ${taps} + t];
if (weight !== 0.0) { s = s + weight * x[${at}]; }
}
}
return s;`;
      }),
    ];
  },
};
