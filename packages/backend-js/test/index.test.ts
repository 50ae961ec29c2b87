import { readdirSync, readFileSync } from 'node:fs';

import { best, list, register, SPEC_VERSION, use } from '@convoke/backend-api';
import { expect, test } from 'vitest';

import { createJs, js } from '../src/index.ts';

test('the factory makes a backend of its name and version', async () => {
  expect(js).toMatchObject({ name: 'js', specVersion: SPEC_VERSION, priority: 0 });
  expect(await js.probe()).toMatchObject({ available: true });
  const backend = await js.create({ decomposeOnly: true, maxBytes: 100 });
  expect(backend).toMatchObject({ name: js.name, specVersion: js.specVersion });
  expect(backend.capabilities).toMatchObject({ maxBytes: 100, readSync: true, threads: 1 });
  await expect(js.create({ maxBytes: -1 })).rejects.toThrow('maxBytes');
});

test('it can be registered, used by name and picked', async () => {
  register(js);
  const backend = await use('js');
  expect((await best()).backend).toBe(backend);
  expect(await list()).toMatchObject([{ name: 'js', available: true, current: true }]);
});

test('two instances share nothing', () => {
  const [a, b] = [createJs(), createJs()];
  a.upload({ shape: [2], dtype: 'float32' }, new Float32Array(2));
  expect(b.memory()).toMatchObject({ handles: 0, bytes: 0 });
});

test('no source asks for what a strict content security policy forbids', () => {
  const source = new URL('../src/', import.meta.url);
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  expect(files.length).toBeGreaterThan(10);
  const forbidden = /\beval\(|\bnew Function\b|\bWebAssembly\b|\bnew (Shared)?Worker\b|\bimport\(/;
  const offending = files.filter((name) => {
    const code = readFileSync(new URL(name, source), 'utf8').replaceAll(/\/\/.*/g, '');
    return forbidden.test(code);
  });
  expect(offending).toEqual([]);
});
