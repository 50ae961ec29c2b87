// Times products and convolutions on one thread against the machine's 128-bit peak, measured by a loop of multiply-adds
// that stay in registers, in the same build. A case's time is the sum of its chunks' best times, in runs of the whole case: on
// a busy machine a chunk has a chance to be left alone, a whole case has none. The last figure is how much faster N threads
// (2 by default) could be that claim these chunks in order.
//
//   node scripts/peak.mjs [--kernels FOLDER] [--build fma|base] [--only TEXT] [--rows 4|6] [--threads N]
//
// FOLDER is made by `node codegen/index.mjs --only gemm,pack,conv,winograd --out FOLDER`; without it, the package's own build.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import asc from 'assemblyscript/asc';

import { buildOf } from '../src/builds.ts';
import { unpack } from '../src/unpack.ts';
import { cases } from './peak-cases.mjs';

const { values } = parseArgs({
  options: {
    kernels: { type: 'string' },
    build: { type: 'string', default: 'fma' },
    only: { type: 'string', default: '' },
    rows: { type: 'string' },
    threads: { type: 'string', default: '2' },
  },
});
const fused = values.build === 'fma';

/** Multiply-adds in flight: 12 independent sums, as a tile of 6 by 8 has. */
async function peakModule() {
  const sums = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const madd = fused
    ? (s) => `f32x4.relaxed_madd(x, y, ${s})`
    : (s) => `f32x4.add(${s}, f32x4.mul(x, y))`;
  const source = `export function peak(n: i32): f32 {
    const x = f32x4.splat(<f32>n * 1e-9), y = f32x4.splat(<f32>n * 1e-8);
    ${sums.map((s, i) => `let ${s} = f32x4.splat(${i});`).join('')}
    for (let i = 0; i < n; i++) { ${sums.map((s) => `${s} = ${madd(s)};`).join('')} }
    return f32x4.extract_lane(${sums.reduce((a, b) => `f32x4.add(${a}, ${b})`)}, 0);
  }`;
  let binary;
  const { error, stderr } = await asc.main(
    [
      'p.ts',
      '--outFile',
      'p.wasm',
      '--runtime',
      'stub',
      '--optimizeLevel',
      '3',
      '--enable',
      'simd',
      ...(fused ? ['--enable', 'relaxed-simd'] : []),
    ],
    {
      readFile: (name) => (name === 'p.ts' ? source : null),
      writeFile: (_, content) => {
        binary = content;
      },
      listFiles: () => [],
    },
  );
  if (error) throw new Error(stderr.toString());
  return new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { abort() {} } }).exports
    .peak;
}

async function kernels() {
  if (values.kernels) {
    return {
      module: readFileSync(join(values.kernels, 'kernels.wasm')),
      names: JSON.parse(readFileSync(join(values.kernels, 'names.json'), 'utf8')),
    };
  }
  const { kernelNames, packedModule } = await import('../src/generated/kernels.ts');
  return { module: unpack(Buffer.from(packedModule, 'base64')), names: kernelNames };
}

const SCRATCH = 65536;
const COMMAND = SCRATCH + 262144;
const FIRST = COMMAND + 65536;
const memory = new WebAssembly.Memory({ initial: 16384, maximum: 65536, shared: true });
const { module, names } = await kernels();
const kernelModule = new WebAssembly.Module(buildOf(module, values.build));
const { exports } = new WebAssembly.Instance(kernelModule, {
  env: { memory, notice() {} },
});
exports.start(SCRATCH);

/** An encoder that keeps its commands, to run them again and again. */
class Recording {
  threads = Number(values.threads);
  precision = 'fast';
  commands = [];
  top = FIRST;
  constructor() {
    if (values.rows) this.tileRows = Number(values.rows);
  }
  emit(kernel, chunks, words) {
    this.commands.push({ kernel: names.indexOf(kernel), chunks, words: Int32Array.from(words) });
  }
  workspace(size) {
    const address = this.top;
    this.top += Math.ceil(size / 64) * 64 + 192;
    if (this.top > memory.buffer.byteLength) throw new Error('out of memory');
    return address;
  }
  zeros(size) {
    const address = this.workspace(size);
    new Uint8Array(memory.buffer, address, size).fill(0);
    return address;
  }
  random(count) {
    const address = this.workspace(count * 4);
    const data = new Float32Array(memory.buffer, address, count);
    for (let i = 0; i < count; i++) data[i] = Math.random() - 0.5;
    return address;
  }
  /** Runs all chunks, and keeps the least time of each in `times`. */
  run(times) {
    const words = new Int32Array(memory.buffer, COMMAND, 16000);
    let i = 0;
    for (const { kernel, chunks, words: from } of this.commands) {
      words.set(from);
      for (let chunk = 0; chunk < chunks; chunk++, i++) {
        const start = performance.now();
        exports.call(kernel, COMMAND, chunk);
        times[i] = Math.min(times[i] ?? Infinity, performance.now() - start);
      }
    }
  }
}

function best(run, milliseconds) {
  const end = performance.now() + milliseconds;
  let least = Infinity;
  do {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  } while (performance.now() < end);
  return least;
}

const peak = await peakModule();
const STEPS = 1_000_000;
peak(STEPS);
const measurePeak = () => (STEPS * 12 * 8) / best(() => peak(STEPS), 60) / 1e6;
console.log(`${process.version}, ${values.build}: peak ${measurePeak().toFixed(1)} GFLOP/s`);

/** When the last of `threads` ends that claim chunks in order, command by command. */
function schedule(commands, times, threads) {
  let now = 0;
  let i = 0;
  for (const { chunks } of commands) {
    const free = Array.from({ length: threads }, () => now);
    for (let chunk = 0; chunk < chunks; chunk++, i++) {
      free[free.indexOf(Math.min(...free))] += times[i];
    }
    now = Math.max(...free);
  }
  return now;
}

for (const [name, plan] of Object.entries(cases)) {
  if (!name.includes(values.only)) continue;
  const recording = new Recording();
  const flops = plan(recording);
  const chunks = [];
  best(() => recording.run(chunks), 600);
  const time = chunks.reduce((sum, chunk) => sum + chunk);
  const rate = flops / time / 1e6;
  const share = ((100 * rate) / measurePeak()).toFixed(0);
  const faster = time / schedule(recording.commands, chunks, recording.threads);
  const columns = [
    name.padEnd(30),
    `${time.toFixed(3).padStart(9)} ms`,
    `${rate.toFixed(1).padStart(7)} GFLOP/s`,
    `${share.padStart(4)} % of peak`,
    `${recording.threads} threads: ${faster.toFixed(2)}x`,
  ];
  console.log(columns.join(' '));
}
