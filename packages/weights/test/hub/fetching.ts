// Run by other tests as a process of its own: fetches the reference it is given and prints what came, or why nothing did.

import { fetchWeights } from '../../src/hub.ts';

const [reference = '', cache = '', size] = process.argv.slice(2);
try {
  const { sha256, fromCache, waited, integrity } = await fetchWeights(reference, {
    cache,
    ...(size !== undefined && { size: Number(size) }),
    onProgress: ({ loaded, phase }) => process.stderr.write(`${phase} ${loaded}\n`),
  });
  console.log(JSON.stringify({ sha256, fromCache, waited, integrity }));
} catch (error) {
  const { code, message } = error as Error & { code?: string };
  console.log(JSON.stringify({ code, message }));
}
