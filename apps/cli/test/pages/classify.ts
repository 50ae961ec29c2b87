// A user's page: it takes a backend and leaves the classifier where a test reaches it.

import { workers } from '@convoke/backend-workers';
import { register, use } from '@convoke/core';
import { findPretrained } from '@convoke/zoo';
import { createClassifier } from '@convoke/zoo/browser';

register(workers);

const imports = { use, findPretrained, createClassifier };

/** `globalThis.convoke` of the page. */
export type ClassifyPage = typeof imports;

Object.assign(globalThis, { convoke: imports });
