// A user's program, which leaves what it imports where a test reaches it.

import * as image from '@convoke/image';
import * as browser from '@convoke/image/browser';

const imports = { image, browser };

/** `globalThis.pictures` of the page. */
export type Pictures = typeof imports;

Object.assign(globalThis, { pictures: imports });
