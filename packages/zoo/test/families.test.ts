// Every network of the zoo, without a list to edit: a file in src/architectures is tested by being there, and compared with
// PyTorch where fixtures/zoo has a file of its name. What takes longer is in test-slow.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, it, test } from 'vitest';

import { listModels } from '../src/index.ts';
import { describeArchitecture, type ArchitectureCase } from '../src/testkit.ts';
import { useBackend } from './architectures/lab.ts';
import { architecturesIn } from './architectures.ts';
import { goldenNames, quickGoldenOf } from './fixtures.ts';

const folder = fileURLToPath(new URL('../src/architectures/', import.meta.url));
const architectures = await architecturesIn(folder);

beforeAll(async () => {
  await useBackend('workers', { precision: 'strict' });
});

it('the map of families is what the folder of architectures holds', () => {
  const script = fileURLToPath(new URL('../scripts/families.mjs', import.meta.url));
  const check = [script, '--check'];
  expect(() =>
    execFileSync(process.execPath, ['--conditions=@convoke/source', ...check]),
  ).not.toThrow();
});

it('every golden network is there', async () => {
  const names = await listModels();
  expect(goldenNames.length).toBeGreaterThan(30);
  for (const name of goldenNames) expect(names).toContain(name);
  expect(architectures.flatMap((architecture) => architecture.names).toSorted()).toEqual(names);
});

const select = ({ id, computes, params }: ArchitectureCase): boolean =>
  !computes || params <= (id.includes('PyTorch') ? 15e6 : 3e6);

for (const architecture of architectures) {
  describeArchitecture({ describe, test }, architecture, { golden: quickGoldenOf, select });
}
