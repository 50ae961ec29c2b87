// Run as a process of its own, to be killed: saves one file after another to the path it is given.

import { saveSafetensors } from '../src/node.ts';

const path = process.argv[2]!;

for (let value = 1; ; value++) {
  const data = new Float32Array(500_000).fill(value);
  await saveSafetensors(path, new Map([['w', { dtype: 'float32', shape: [500_000], data }]]));
  if (value === 1) process.stdout.write('saving\n');
}
