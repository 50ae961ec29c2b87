// The architectures that the files of a folder export.

import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

import type { Architecture } from '../src/index.ts';

export async function architecturesIn(folder: string): Promise<Architecture[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const found: Architecture[] = [];
  for (const file of files.toSorted()) {
    const module: object = await import(pathToFileURL(join(folder, file)).href);
    for (const value of Object.values(module) as unknown[]) {
      const isArchitecture = typeof value === 'object' && value !== null && 'variants' in value;
      if (isArchitecture) found.push(value as Architecture);
    }
  }
  return found;
}
