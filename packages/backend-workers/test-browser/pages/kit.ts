// A backend author's program: the conformance kit, left where a test reaches it.

import * as api from '@convoke/backend-api';
import * as testkit from '@convoke/backend-testkit';
import * as backend from '@convoke/backend-workers';

const imports = { api, backend, testkit };

/** `globalThis.kit` of the page. */
export type Kit = typeof imports;

api.register(backend.workers);
Object.assign(globalThis, { kit: imports });
