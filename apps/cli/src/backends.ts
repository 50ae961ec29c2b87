// The backends this program brings along.

import { gpujs } from '@convoke/backend-gpujs';
import { js } from '@convoke/backend-js';
import { workers } from '@convoke/backend-workers';
import { best, register, use, type Backend } from '@convoke/core';

function registerBackends(): void {
  register(js);
  register(workers);
  register(gpujs);
}

/** Makes the named backend current, or the best available one. `options` go to the named backend's factory. */
async function chooseBackend(name: string | undefined, options?: unknown): Promise<Backend> {
  registerBackends();
  if (name !== undefined) return use(name, options);
  return (await best()).backend;
}

type Precision = 'fast' | 'strict';

export interface Tuning {
  readonly threads: number | undefined;
  readonly precision: Precision | undefined;
}

/**
 * As `chooseBackend`, with threads and precision where they are given. `notes` tells what the backend has no choice of: js
 * computes on one thread in plain float32.
 */
export async function chooseTuned(
  name: string | undefined,
  { threads, precision }: Tuning,
): Promise<{ backend: Backend; notes: string[] }> {
  const chosen = name ?? (await chooseBackend(undefined)).name;
  const given = {
    ...(threads !== undefined && { threads }),
    ...(precision !== undefined && { precision }),
  };
  const tunable = chosen === 'workers' && Object.keys(given).length > 0;
  const backend = await chooseBackend(chosen, tunable ? given : undefined);
  const notes: string[] = [];
  const running = backend.capabilities.threads;
  if (threads !== undefined && threads !== running) {
    notes.push(`--threads ${threads} is ignored: backend '${chosen}' runs ${running} here`);
  }
  if (precision === 'fast' && chosen === 'js') {
    notes.push(
      `--precision fast is ignored: backend 'js' computes in plain float32, which is strict`,
    );
  }
  return { backend, notes };
}

/** `workers (2 threads)`: a backend's name with what distinguishes this instance. */
export function describeBackend({ name, mode }: Backend): string {
  return mode ? `${name} (${mode})` : name;
}
