// What a case works with, and the form in which the families of cases are written.

import type { Backend, BackendFactory } from '@convoke/backend-api';

export interface Lab {
  /** The instance that all cases share. A case must leave its memory as it found it. */
  readonly backend: Backend;
  readonly factory: BackendFactory;
  readonly createOptions: unknown;
  /** Another instance, for this case only: disposed when it ends. */
  fresh(): Promise<Backend>;
  /** Multiplies every tolerance. */
  readonly slack: number;
  /** Makes the next op fail after `run` has returned; absent where the backend has no such switch. */
  readonly failNext?: ((backend: Backend) => void) | undefined;
  readonly precision: 'strict' | 'fast';
  /** Address of the folder of golden files. */
  readonly fixtures: string | URL;
}

export interface Draft {
  /** `group/what`, unique. */
  readonly id: string;
  /** Throws where the contract is broken. A string says why the case does not apply to this backend. */
  run(lab: Lab): Promise<string | void> | string | void;
}
