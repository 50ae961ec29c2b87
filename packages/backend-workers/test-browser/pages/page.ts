// A user's program, which leaves what it imports where a test reaches it.

import * as api from '@convoke/backend-api';
import * as backend from '@convoke/backend-workers';
import * as core from '@convoke/core';

const imports = { api, backend, core };

/** `globalThis.convoke` of the page. */
export type Convoke = typeof imports;

api.register(backend.workers);
Object.assign(globalThis, { convoke: imports });
