import { expect, test } from 'vitest';

import { renderHtml } from '../src/page.ts';
import { caseTable } from '../src/report.ts';
import type { Row } from '../src/timing.ts';

function row(contender: string, medianMs: number, more: Partial<Row> = {}): Row {
  const times = { medianMs, minMs: medianMs - 1, maxMs: medianMs + 1, runs: 9 };
  const names = { suite: 'kernels', case: 'gemm-512', contender, threads: 1 };
  return { ...names, ...times, maxRelError: 1e-7, ...more };
}

test('ratios to the first contender are given both ways', () => {
  const [, , second] = caseTable([row('workers', 5), row('js', 20)], []).split('\n');
  expect(second).toMatch(/^ {2}js .* 0\.25x +4\.00x$/);
});

test('speed and the fraction of the peak stand where operations are counted, and only there', () => {
  const counted = caseTable([row('js', 5, { gflops: 29, ofPeak: 0.5 })], []);
  expect(counted).toContain('29.0');
  expect(counted).toContain('50 %');
  expect(caseTable([row('js', 5)], [])).not.toContain('GFLOP/s');
});

test('whoever is not timed is listed with the reason', () => {
  const skipped = [{ case: 'gemm-512', contender: 'torch', reason: 'it is asleep' }];
  expect(caseTable([row('js', 5)], skipped)).toContain('torch: not timed: it is asleep');
  expect(caseTable([], skipped)).toBe('  torch: not timed: it is asleep');
});

const facts = ['C<P>U', '2 cores'];

test('bars are as long as the times, the fastest first, and ours are marked', () => {
  const rows = [row('peer', 20), row('js', 5)];
  const html = renderHtml({ facts, peak: 58, versions: { js: '1' }, rows }, ['js']);
  expect(html).toContain('class="bar ours" style="width: 25.00%"');
  expect(html).toContain('class="bar" style="width: 100.00%"');
  expect(html.indexOf('class="bar ours"')).toBeLessThan(html.indexOf('width: 100.00%'));
  expect(html).toContain('4.00 x the time');
});

test('text from the machine cannot become markup', () => {
  const html = renderHtml({ facts, peak: 58, versions: {}, rows: [] }, []);
  expect(html).toContain('C&#60;P&#62;U');
});
