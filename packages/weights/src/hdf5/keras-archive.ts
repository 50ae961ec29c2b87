// The .keras file of Keras 3: a zip archive of config.json and model.weights.h5. Experimental, as Keras changes it at will.

import { failing } from '../errors.ts';
import { readZipEntry, zipDataOffset, type Zip } from '../formats/zip.ts';
import { memorySource, type ByteSource } from '../sources/source.ts';
import type { WeightsFile } from '../weights-file.ts';
import { layersOf } from './keras-names.ts';
import { openKerasSource } from './keras.ts';

const WEIGHTS = 'model.weights.h5';
const MAX_CONFIG = 64 << 20;

export async function openKerasArchive(zip: Zip): Promise<WeightsFile> {
  const { source, entries } = zip;
  const config = entries.get('config.json');
  let model: unknown = null;
  if (config) {
    const bytes = await readZipEntry(zip, config, { limit: MAX_CONFIG, check: true });
    try {
      model = JSON.parse(new TextDecoder().decode(bytes));
    } catch (error) {
      failing(source.name)(
        `its config.json is no JSON (${(error as Error).message}); the file is damaged`,
      );
    }
  }
  return openKerasSource(await weightsOf(zip), layersOf(model));
}

/** The HDF5 file within: in its place where it is stored, else unpacked. */
async function weightsOf(zip: Zip): Promise<ByteSource> {
  const { source } = zip;
  const entry = zip.entries.get(WEIGHTS);
  if (!entry) return failing(source.name)(`it is no .keras file: it has no ${WEIGHTS}`);
  if (entry.deflated) {
    const limit = Number.MAX_SAFE_INTEGER;
    const inner = memorySource(await readZipEntry(zip, entry, { limit, check: true }), source.name);
    return { ...inner, close: () => source.close() };
  }
  const start = await zipDataOffset(zip, entry);
  return {
    name: source.name,
    size: entry.size,
    bytes: source.bytes?.subarray(start, start + entry.size),
    readInto: (target, offset) => source.readInto(target, start + offset),
    ...(source.prefetch ? { prefetch: source.prefetch.bind(source) } : {}),
    close: () => source.close(),
  };
}
