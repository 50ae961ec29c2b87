// The page behind `convoke golden --browser`: fetches its cases, runs them, and leaves the outcome for the command to fetch.

import type { PageOutcome, PageRequest } from '../golden/browser.ts';
import { runCases } from '../golden/session.ts';

async function main(): Promise<PageOutcome> {
  try {
    const response = await fetch('/request.json');
    const { cases, request } = (await response.json()) as PageRequest;
    return { outcome: await runCases(cases, request) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

Reflect.set(globalThis, 'goldenOutcome', main());
