// All families of cases.

import type { Draft } from '../lab.ts';
import { disposalCases } from './disposal.ts';
import { donationCases } from './donation.ts';
import { factoryCases } from './factory.ts';
import { failureCases } from './failures.ts';
import { forwardCases } from './forward.ts';
import { determinismCases, fusedCases } from './fused.ts';
import { goldenCases } from './golden.ts';
import { gradientCases } from './gradients.ts';
import { misuseCases } from './misuse.ts';
import { ownershipCases } from './ownership.ts';
import { programCases } from './program.ts';
import { readingCases } from './reading.ts';

export const drafts: readonly Draft[] = [
  ...factoryCases,
  ...forwardCases,
  ...misuseCases,
  ...ownershipCases,
  ...donationCases,
  ...disposalCases,
  ...readingCases,
  ...programCases,
  ...failureCases,
  ...gradientCases,
  ...fusedCases,
  ...determinismCases,
  ...goldenCases,
];
