// What tests find on their page.

import * as backend from '@convoke/backend-gpujs';
import { js } from '@convoke/backend-js';
import * as testkit from '@convoke/backend-testkit';
import * as core from '@convoke/core';
import * as nn from '@convoke/nn';

const kit = { backend, js, testkit, core, nn };
export type Kit = typeof kit;

Reflect.set(globalThis, 'kit', kit);
