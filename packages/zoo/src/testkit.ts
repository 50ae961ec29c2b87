// Tests of an architecture as data, for any test runner or none: parameters and multiply-adds, PyTorch's results where there are
// any, another classifier and other channels, taps, saving, freezing. What is written for one architecture holds for all.

import { currentBackend, type Backend } from '@convoke/core';

import type { Architecture } from './architecture.ts';
import type { GoldenNetwork, Precision } from './golden.ts';
import { goldenChecks, type Check } from './testkit/golden.ts';
import { numberChecks } from './testkit/numbers.ts';
import { shapeChecks } from './testkit/shapes.ts';
import { subjectOf } from './testkit/subject.ts';

export interface ArchitectureCase {
  /** `VARIANT/what`: stable, for filters. */
  readonly id: string;
  readonly variant: string;
  /** Trained parameters. */
  readonly params: number;
  /** Whether it computes, on the backend; the others look at shapes alone, in no time and no memory. */
  readonly computes: boolean;
  /** Rejects with an Error that says what was expected. Resolves to a reason where the case does not apply. */
  run(): Promise<string | void>;
}

export interface TestkitOptions {
  /** Where networks compute. Default: the backend that is current when a case runs. */
  readonly backend?: Backend | undefined;
  /** PyTorch's results for a variant, or null. Default: there are none. */
  readonly golden?: ((variant: string) => GoldenNetwork | null) | undefined;
  /** `fast` where the backend may use Winograd's F4. Default strict. */
  readonly precision?: Precision | undefined;
  /** Which cases to take: large networks on their smallest input only, say. Default all. */
  readonly select?: ((candidate: ArchitectureCase) => boolean) | undefined;
}

/** What a test runner must offer: vitest, node:test, mocha and Jasmine do. */
export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: (name: string, body: () => Promise<void>) => unknown;
}

/** Every case for each variant of an architecture. Nothing is built until a case runs. */
export function architectureCases<Name extends string, Options extends object>(
  architecture: Architecture<Name, Options>,
  options: TestkitOptions = {},
): ArchitectureCase[] {
  const { golden = () => null, precision = 'strict', select = () => true } = options;
  const backend = (): Backend => options.backend ?? currentBackend();
  return architecture.names.flatMap((variant) => {
    const subject = subjectOf(architecture as unknown as Architecture, variant);
    const network = golden(variant);
    const made = (computes: boolean, checks: readonly Check[]): ArchitectureCase[] =>
      checks.map(({ name, run }) => ({
        id: `${variant}/${name}`,
        variant,
        params: subject.params,
        computes,
        run,
      }));
    const compared = network && goldenChecks(subject, network, backend, precision);
    return [
      ...made(false, [...shapeChecks(subject), ...(compared ? [compared.names] : [])]),
      ...made(true, [...numberChecks(subject, backend), ...(compared?.parts ?? [])]),
    ].filter(select);
  });
}

/** Declares the cases to a test runner: a group for each variant, a test for each case. */
export function describeArchitecture<Name extends string, Options extends object>(
  { describe, test }: Runner,
  architecture: Architecture<Name, Options>,
  options: TestkitOptions = {},
): void {
  const cases = architectureCases(architecture, options);
  for (const variant of architecture.names) {
    const own = cases.filter((each) => each.variant === variant);
    if (own.length === 0) continue;
    describe(variant, () => {
      for (const { id, run } of own) {
        test(id.slice(variant.length + 1), async () => {
          await run();
        });
      }
    });
  }
}
