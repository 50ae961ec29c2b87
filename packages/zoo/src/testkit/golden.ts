// A network against PyTorch's: names, and each part of its golden file.

import type { Backend } from '@convoke/core';

import type { Deviation, Precision } from '../golden/compare.ts';
import type { GoldenNetwork, GoldenPart } from '../golden/files.ts';
import { runGoldenPart } from '../golden/parts.ts';
import { expectSame } from './expect.ts';
import type { Subject } from './subject.ts';

export interface Check {
  readonly name: string;
  /** Resolves to a reason where the check does not apply. */
  readonly run: () => Promise<string | void>;
}

function expectAgreement(deviations: readonly Deviation[]): void {
  const wrong = deviations.filter(({ error, tolerance }) => !(error <= tolerance));
  if (wrong.length === 0) return;
  const [{ name, error, tolerance }] = wrong as [Deviation];
  throw new Error(
    `${wrong.length} of ${deviations.length} quantities are off; the first, ${name}, by ${error.toExponential(2)}, where ${tolerance.toExponential(2)} is allowed`,
  );
}

export function goldenChecks(
  subject: Subject,
  golden: GoldenNetwork,
  backend: () => Backend,
  precision: Precision,
): { names: Check; parts: Check[] } {
  const names = async (): Promise<void> => {
    const model = subject.build();
    const own = [...model.stateDict()].map(([key, { shape }]) => [key, shape]);
    expectSame('state dict', own, golden.state_dict);
    expectSame('parameters', [...model.namedParameters().keys()], golden.parameters);
    const { params, macs, effectiveParams } = subject;
    const counts = [golden.params, golden.macs, golden.params_effective ?? golden.params];
    expectSame('counts', [params, macs, effectiveParams], counts);
  };
  const part = (name: string, what: GoldenPart): Check => ({
    name,
    run: async () => {
      const model = subject.fill(golden.gain, backend());
      try {
        expectAgreement(await runGoldenPart(model, what, precision, backend()));
      } finally {
        model.dispose();
      }
    },
  });
  const { cases, aux, frozen_bn: frozen, train } = golden;
  return {
    names: { name: "has PyTorch's names, shapes and counts", run: names },
    parts: [
      ...cases.map((one) => part(`gives PyTorch's logits and stages at ${sizeOf(one)}`, one)),
      ...(aux ? [part("gives PyTorch's auxiliary logits", aux)] : []),
      ...(frozen ? [part("gives PyTorch's gradients at evaluation", frozen)] : []),
      ...(train ? [part("trains as PyTorch's", train)] : []),
    ],
  };
}

const sizeOf = ({ input }: { readonly input: { readonly shape: readonly number[] } }): string =>
  input.shape.join('x');
