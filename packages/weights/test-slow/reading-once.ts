// A process that reads a weight file and prints what memory it took beyond what it had, in bytes.

import { readWeights } from '../src/node.ts';

const [path] = process.argv.slice(2);
// Loads the modules that are loaded when needed, and settles.
await readWeights(new URL('../test/fixtures/tiny.pth', import.meta.url));
globalThis.gc?.();
const before = process.memoryUsage.rss();
const { tensors } = await readWeights(path!);
const peak = process.resourceUsage().maxRSS * 1024;
let bytes = 0;
for (const { data } of tensors.values()) bytes += data.byteLength;
process.stdout.write(JSON.stringify({ extra: peak - before, bytes }));
