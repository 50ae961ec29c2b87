// A page whose own script trains a layer for a step at once. What a test runs through the browser's debugger would not do: there
// eval is allowed whatever the policy says.

import { gpujs } from '@convoke/backend-gpujs';
import * as core from '@convoke/core';
import { Linear } from '@convoke/nn';

const violations: string[] = [];
document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
  violations.push(`${effectiveDirective} ${blockedURI}`),
);

function evalError(): string | null {
  try {
    // oxlint-disable-next-line no-new-func -- whether the policy forbids it is the question
    void new Function('return 0');
    return null;
  } catch (error) {
    return (error as Error).name;
  }
}

async function step(mode: 'webgl2' | 'webgl') {
  const backend = await core.use('gpujs', { mode });
  const model = new Linear({ inFeatures: 2, outFeatures: 1 });
  const x = core.tensor([1, 2, 3, 4], { shape: [2, 2] });
  const square = Array.from(await core.matmul(x, x).data());
  const loss = core.sum(core.exp(model.forward(x)));
  core.backward(loss);
  const gradient = model.bias?.grad;
  // The exponential's derivative is itself.
  const difference = gradient && (await core.sum(core.sub(gradient, loss)).item());
  return { mode: backend.mode, square, difference };
}

async function tryAll() {
  core.register(gpujs);
  const { available } = await gpujs.probe();
  const steps = [await step('webgl2'), await step('webgl')];
  const seen = [...violations];
  return { available, steps, violations: seen, evalError: evalError() };
}

const outcome = tryAll().catch((error: Error) => error.message);
/** `globalThis.policyOutcome` of the page. */
export type PolicyOutcome = typeof outcome;
Reflect.set(globalThis, 'policyOutcome', outcome);
