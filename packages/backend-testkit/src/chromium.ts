// Finds a Chromium and knows how to start it without a screen or a GPU, for those who try backends in a browser. It starts
// nothing itself.

import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { BackendError } from '@convoke/backend-api';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Arguments for a Chromium that keeps to itself and has WebGL 2 and WebGPU in software. */
export const CHROMIUM_FLAGS: readonly string[] = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // So that machines without a GPU have them too.
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Where Chromium is: CHROMIUM_PATH, or in the folders `first` (default `/usr/bin`) or PATH. Throws a BackendError
 * (`backend-unavailable`) that says how to get it.
 */
export async function findChromium(
  env: Readonly<Record<string, string | undefined>> = process.env,
  first: readonly string[] = ['/usr/bin'],
): Promise<string> {
  const chosen = env['CHROMIUM_PATH'];
  if (chosen) {
    if (await isExecutable(chosen)) return chosen;
    throw new BackendError(
      'backend-unavailable',
      `CHROMIUM_PATH is '${chosen}', which is no program that can be run; set it to Chromium's, or unset it`,
    );
  }
  const folders = [...first, ...(env['PATH'] ?? '').split(delimiter).filter(Boolean)];
  for (const folder of folders) {
    for (const name of NAMES) {
      const path = join(folder, name);
      if (await isExecutable(path)) return path;
    }
  }
  throw new BackendError(
    'backend-unavailable',
    `there is no Chromium: no ${NAMES.join(', ')} in ${folders.join(', ')}; install it (apt-get install chromium) or set CHROMIUM_PATH`,
  );
}

/**
 * For tests: where Chromium is, or null, with a banner on the console that says that `what` is skipped. Where CI or
 * CONVOKE_REQUIRE_BROWSER is set, its absence is an error.
 */
export async function chromiumForTests(what: string): Promise<string | null> {
  try {
    return await findChromium();
  } catch (error) {
    if (process.env['CI'] || process.env['CONVOKE_REQUIRE_BROWSER']) throw error;
    const line = '='.repeat(80);
    console.warn(`\n${line}\nSKIPPED: ${what}. ${(error as Error).message}\n${line}\n`);
    return null;
  }
}
