import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DataError } from '@convoke/core';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { renderReport, type EpochRecord } from '../../src/index.ts';
import { loadWeights, saveReport, saveWeights } from '../../src/node.ts';
import { LeNet5, useJs } from '../networks.ts';
import { network, valuesOf } from './runs.ts';

const record = (epoch: number, values: Partial<EpochRecord> = {}): EpochRecord => ({
  epoch,
  loss: 2 / (epoch + 1),
  accuracy: 0.5 + epoch / 100,
  validationLoss: 2.5 / (epoch + 1),
  validationAccuracy: 0.4,
  learningRate: 0.1,
  images: 100,
  seconds: 1.5,
  ...values,
});

const history = Array.from({ length: 12 }, (_, epoch) => record(epoch));
const options = {
  title: 'Shirts & <shoes>',
  history,
  figures: [['test accuracy', '81.2 %']] as const,
  confusion: [
    [9, 1],
    [0, 10],
  ],
  labels: ['shirt <b>', 'shoe'],
};

/** Tags that are not closed in the order in which they were opened. */
function misplacedTags(html: string): string[] {
  const empty = new Set(['meta', 'line', 'circle']);
  const open: string[] = [];
  const misplaced: string[] = [];
  const tags = html
    .replace('<!doctype html>', '')
    .matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s[^<>]*?)?(\/?)>/g);
  for (const [, end, name, self] of tags) {
    if (!end && !self && !empty.has(name!)) open.push(name!);
    if (end && open.pop() !== name) misplaced.push(name!);
  }
  return [...misplaced, ...open];
}

describe('the report', () => {
  test('is one well-formed page that needs nothing from elsewhere', () => {
    const html = renderReport(options);
    expect(html).toMatch(/^<!doctype html>/);
    expect(misplacedTags(html)).toEqual([]);
    expect(html).not.toMatch(/\b(?:src|href|url|@import)\b/);
    expect(html).not.toContain('<script');
    expect(html).not.toContain('http');
  });

  test('escapes what it is given', () => {
    const html = renderReport(options);
    expect(html).toContain('Shirts &#38; &#60;shoes&#62;');
    expect(html).toContain('shirt &#60;b&#62;');
  });

  test('draws a point for every epoch of every curve', () => {
    const html = renderReport(options);
    const curves = [...html.matchAll(/<polyline class="(\w+)" points="([^"]*)"/g)];
    expect(curves.map(([, style]) => style)).toEqual([
      'training',
      'validation',
      'training',
      'validation',
      'training',
    ]);
    for (const [, , points] of curves) expect(points!.split(' ')).toHaveLength(12);
    // Losses fall: on a screen, y grows downwards.
    const heights = curves[0]![2]!.split(' ').map((point) => Number(point.split(',')[1]));
    expect(heights.toSorted((a, b) => a - b)).toEqual(heights);
  });

  test('does without validation, classes, figures and even epochs', () => {
    const plain = renderReport({
      title: 'x',
      history: [record(0, { accuracy: null, validationLoss: null, validationAccuracy: null })],
    });
    expect(misplacedTags(plain)).toEqual([]);
    expect(plain).not.toContain('Confusion');
    expect(plain).toContain('<circle');
    expect(plain).not.toContain('NaN');
    expect(misplacedTags(renderReport({ title: 'x', history: [] }))).toEqual([]);
    const odd = renderReport({ title: 'x', history: [record(0, { loss: Number.NaN }), record(1)] });
    expect(odd.match(/points="[^"]*NaN/)).toBeNull();
  });
});

describe('files', () => {
  beforeAll(useJs);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'convoke-nn-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('weights are saved and loaded under their names', async () => {
    const path = join(folder, 'weights.safetensors');
    using from = network(1);
    using to = network(2);
    await saveWeights(path, from, { epoch: '3' });
    const report = await loadWeights(path, to);
    expect(report.loaded).toEqual([...to.stateDict().keys()]);
    expect(await valuesOf(to)).toEqual(await valuesOf(from));
    using other = new LeNet5();
    await expect(loadWeights(path, other)).rejects.toThrow(/do not fit the model/);
  });

  test('a report that cannot be written is a clear error, and harms no file', async () => {
    const path = join(folder, 'report.html');
    await saveReport(path, options);
    expect(await readFile(path, 'utf8')).toBe(renderReport(options));
    await writeFile(join(folder, 'file'), 'mine');
    const fails = saveReport(join(folder, 'file', 'report.html'), options);
    await expect(fails).rejects.toThrow(DataError);
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('mine');
  });
});
