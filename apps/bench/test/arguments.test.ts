import { expect, test } from 'vitest';

import { parseBenchArguments } from '../src/arguments.ts';
import { backendNames, peerNames } from '../src/contenders/index.ts';

const known = { backends: ['workers', 'js'], peers: ['torch'], cases: ['gemm-512', 'dw3x3'] };

test('without options everything is wanted, nine samples of each', () => {
  expect(parseBenchArguments([], known)).toEqual({
    backends: null,
    peers: null,
    cases: ['gemm-512', 'dw3x3'],
    threads: undefined,
    precision: undefined,
    runs: 9,
    only: '',
    json: undefined,
    html: undefined,
    browser: false,
  });
});

test('contenders keep the order they are given in, each once; none is nobody', () => {
  const args = ['--backends', 'js, workers,js', '--peers', 'none'];
  const { backends, peers } = parseBenchArguments(args, known);
  expect(backends).toEqual(['js', 'workers']);
  expect(peers).toEqual([]);
});

test('--only chooses cases by a part of their name', () => {
  expect(parseBenchArguments(['--only', 'gemm'], known).cases).toEqual(['gemm-512']);
});

test('--only takes several parts of names, --threads several numbers', () => {
  const args = ['--only', 'dw, gemm', '--threads', '1,2,1'];
  const { cases, threads } = parseBenchArguments(args, known);
  expect(cases).toEqual(['gemm-512', 'dw3x3']);
  expect(threads).toEqual([1, 2]);
});

test.each([
  [['--backends', 'jss'], "--backends: there is no 'jss'; expected some of workers, js"],
  [['--peers', 'js'], "--peers: there is no 'js'"],
  [['--only', 'fft'], '--only fft: no case has that in its name; expected part of one of gemm-512'],
  [['--threads', '0'], "--threads expects a whole number of at least 1, got '0'"],
  [['--threads', '1,two'], "--threads expects a whole number of at least 1, got 'two'"],
  [['--threads', '1,2', '--browser'], "--threads expects one number with --browser, got '1,2'"],
  [['--precision', 'half'], "--precision expects fast or strict, got 'half'"],
  [['--runs', '4'], "--runs expects a whole number of at least 5, got '4'"],
  [['--fast'], '--fast'],
])('%j is a mistake, and the message says what was expected', (args, message) => {
  expect(() => parseBenchArguments(args, known)).toThrow(message);
});

test('the contenders are named as the documentation names them', () => {
  expect(backendNames).toEqual(['workers', 'js']);
  expect(peerNames).toEqual([
    'tfjs-cpu',
    'tfjs-wasm',
    'onnxruntime-node',
    'onnxruntime-web',
    'convnetjs',
    'torch',
  ]);
});
