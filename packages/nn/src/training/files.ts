// A model's weights and a run's report on disk.

import { DataError } from '@convoke/core';
import { readSafetensors, saveSafetensors, writeFileAtomic } from '@convoke/weights/node';

import type { Module } from '../module.ts';
import type { LoadReport, LoadStateOptions } from '../state-dict.ts';
import { readSlots } from './checkpoint.ts';
import { renderReport, type ReportOptions } from './report.ts';

/**
 * Writes parameters and buffers to a safetensors file under their PyTorch names, atomically. Throws a WeightsError (`write`)
 * where that fails; a file that was there is then unchanged.
 */
export async function saveWeights(
  path: string,
  model: Module,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await saveSafetensors(path, await readSlots(model.stateDict()), metadata);
}

/** Loads a safetensors file into the model: `model.loadStateDict` of what is in it, with its errors and report. */
export async function loadWeights(
  path: string,
  model: Module,
  options: LoadStateOptions = {},
): Promise<LoadReport> {
  const { tensors } = await readSafetensors(path);
  return model.loadStateDict(tensors, options);
}

/** Writes the report of a run as one HTML file, atomically. Throws a DataError where it cannot be written. */
export async function saveReport(path: string, options: ReportOptions): Promise<void> {
  const html = new TextEncoder().encode(renderReport(options));
  try {
    await writeFileAtomic(path, html);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`report: ${reason}. Choose a folder that exists and can be written`, {
      cause: error,
    });
  }
}
