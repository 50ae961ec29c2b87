// Runs scripts on the machine's own Node 20, the oldest that the package supports, against the built packages.

import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

function output(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, {
    cwd: packageFolder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0 && complaint === '') resolve(text);
      else reject(new Error(`${program} ended with ${code}\n${complaint}\n${text}`));
    });
  });
}

/** The program, or null, with a banner on the console, where none is in PATH. The workspace's own Node is another. */
export async function findNode20(): Promise<string | null> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  for (const folder of folders) {
    const program = join(folder, 'node');
    const version = await output(program, ['--version']).catch(() => '');
    if (/^v20\.(19|[2-9]\d)\./.test(version)) return program;
  }
  const line = '='.repeat(80);
  console.warn(`\n${line}\nSKIPPED: the built package on Node 20. None is in PATH.\n${line}\n`);
  return null;
}

export interface KitRun {
  readonly node: string;
  readonly mode: string;
  readonly problems: readonly string[];
  readonly passed: number;
}

/** The conformance kit, or the cases that `only` (a regular expression) names. */
export async function runKit(
  program: string,
  createOptions: { readonly threads: number; readonly precision: 'fast' | 'strict' },
  only = '',
): Promise<KitRun> {
  const script = `
    import { runConformance } from '@convoke/backend-testkit';
    import { workers } from '@convoke/backend-workers';
    const createOptions = ${JSON.stringify(createOptions)};
    const backend = await workers.create(createOptions);
    const { mode } = backend;
    backend.dispose();
    const { problems, cases } = await runConformance(workers, {
      createOptions,
      precision: createOptions.precision,
      only: new RegExp(${JSON.stringify(only)}),
    });
    const passed = cases.filter(({ status }) => status === 'passed').length;
    console.log(JSON.stringify({ node: process.version, mode, problems, passed }));`;
  return JSON.parse(await output(program, ['--input-type=module', '-e', script])) as KitRun;
}
