// The page's script: the hub, for the tests to call.

import * as hub from '@convoke/weights/hub';

export type Hub = typeof hub;

(globalThis as unknown as { hub: Hub }).hub = hub;
