// HDF5 files, as much of them as Keras writes, read without a dependency. `openWeights` opens Keras files too; this entry is for
// other HDF5 files, and for those who want nothing else.

import { openHdf5Root, type Hdf5Object } from './hdf5/file.ts';
import { openWeights } from './read-weights.ts';
import { openSource, type SourceOptions, type WeightsSource } from './sources/open.ts';
import { WeightsError } from './errors.ts';
import type { WeightsFile } from './weights-file.ts';

export type { AttributeValue, Hdf5Object } from './hdf5/file.ts';

/** An HDF5 file: its root group, and the way to let go of it. */
export interface Hdf5File {
  readonly root: Hdf5Object;
  close(): Promise<void>;
}

/**
 * Opens any HDF5 file. Groups, attributes of numbers and texts, and data sets of numbers are read: contiguous, compact or
 * chunked; deflated, shuffled or with checksums. Throws a WeightsError: `format`, `read`, or `refused` for the rest of HDF5.
 */
export async function openHdf5(
  source: WeightsSource,
  options: SourceOptions = {},
): Promise<Hdf5File> {
  const bytes = await openSource(source, options);
  try {
    return { root: await openHdf5Root(bytes), close: () => bytes.close() };
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** `openWeights` for Keras files alone: .h5, .weights.h5 and .keras. Throws a WeightsError as that does, `format` for others. */
export async function openKeras(
  source: WeightsSource,
  options: SourceOptions = {},
): Promise<WeightsFile> {
  const file = await openWeights(source, options);
  if (file.format === 'keras') return file;
  await file.close();
  throw new WeightsError('format', `${file.file}: it is no Keras file, but ${file.format}`);
}
