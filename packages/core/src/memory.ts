// What is alive on a backend.

import type { Backend, MemoryReport } from '@convoke/backend-api';

import { currentBackend } from './creation.ts';

/** Live handles and their bytes on `backend`, the current one unless given. */
export function memory(backend: Backend = currentBackend()): MemoryReport {
  return backend.memory();
}
