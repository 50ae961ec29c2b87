// Packs the compiled module; src/module.ts takes it apart.

import { deflateRawSync } from 'node:zlib';

export function pack(module) {
  return deflateRawSync(module, { level: 9 });
}
