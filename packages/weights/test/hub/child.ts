// Starts `fetching.ts` as a process.

import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('fetching.ts', import.meta.url));

export interface Child {
  readonly process: ChildProcess;
  /** Settles when a line of the progress matches. */
  reached(line: RegExp): Promise<void>;
  /** What it printed, when it has ended. */
  outcome(): Promise<unknown>;
  /** Ends it without a chance to clean up. */
  kill(): Promise<void>;
}

export function startFetching(
  reference: string,
  cache: string,
  options: { env?: Record<string, string>; size?: number; flags?: readonly string[] } = {},
): Child {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@convoke/source',
      '--experimental-strip-types',
      '--no-warnings',
      ...(options.flags ?? []),
      script,
      reference,
      cache,
      ...(options.size === undefined ? [] : [String(options.size)]),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } },
  );
  let out = '';
  let progress = '';
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (progress += text));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    process: child,
    reached: async (line) => {
      while (!line.test(progress)) {
        if (child.exitCode !== null) throw new Error(`ended before ${line}: ${progress}${out}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    outcome: async () => {
      await closed;
      if (!out) throw new Error(`printed nothing; ${progress}`);
      return JSON.parse(out) as unknown;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
