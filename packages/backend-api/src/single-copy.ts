// Two copies of a package in one process would split its state in two. Nothing happens on import; the first use claims.

import { BackendError } from './errors.ts';

interface Claim {
  readonly token: object;
  readonly version: number;
}

const key = Symbol.for('convoke.single-copies');
const shared = globalThis as unknown as Record<symbol, Map<string, Claim> | undefined>;

/** Throws where another copy of `packageName` (another `token`) is already in use in this process. */
export function claimSingleCopy(packageName: string, version: number, token: object): void {
  const claims = (shared[key] ??= new Map<string, Claim>());
  const claim = claims.get(packageName);
  if (!claim) claims.set(packageName, { token, version });
  else if (claim.token !== token) {
    throw new BackendError(
      'backend-version',
      `two copies of ${packageName} are in use in this process (contract versions ${claim.version} and ${version}); they would not see each other's tensors. Install one version for all packages, for example by deduplicating the lock file`,
    );
  }
}
