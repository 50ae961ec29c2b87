// A backend in plain JavaScript: no WebAssembly, no eval, no workers, so that it runs under any content security policy.

import { SPEC_VERSION, type BackendFactory } from '@convoke/backend-api';

import { createJs, type JsOptions } from './backend.ts';

export { createJs, type JsOptions } from './backend.ts';

/** Give it to `register()`, then `await use('js')`. Available everywhere; any faster backend goes before it. */
export const js: BackendFactory<JsOptions> = {
  name: 'js',
  specVersion: SPEC_VERSION,
  priority: 0,
  probe: () => Promise.resolve({ available: true, detail: 'plain JavaScript, 1 thread' }),
  create: (options) => Promise.resolve().then(() => createJs(options)),
};
