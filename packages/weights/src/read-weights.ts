// Opens a weight file of any format, told by its content.

import { failing, WeightsError } from './errors.ts';
import { isNpy, openNpy } from './formats/npy.ts';
import { isNpz, openNpz } from './formats/npz.ts';
import {
  isLegacyPytorch,
  openPytorchLegacy,
  openPytorchZip,
  pytorchRoot,
} from './formats/pytorch.ts';
import { openSafetensorsSource } from './formats/safetensors.ts';
import { isTfjsModel, openTfjs } from './formats/tfjs.ts';
import { isZip, openZip, type Zip } from './formats/zip.ts';
import { openSource, type SourceOptions, type WeightsSource } from './sources/open.ts';
import { expectSafePath, readBytes, type ByteSource } from './sources/source.ts';
import type { HostTensor, StoredTensor } from './tensors.ts';
import type { SkippedEntry, WeightsFile, WeightsFormat, WeightsLayout } from './weights-file.ts';

export interface OpenWeightsOptions extends SourceOptions {
  /** PyTorch: which state dict of several, as a dotted path. Default: the usual ones (`state_dict`, `model`, ...). */
  readonly key?: string | undefined;
  /** TensorFlow.js: gives the shards of a model.json that comes as bytes or as a Blob, by their relative paths. */
  readonly siblings?: ((path: string) => WeightsSource | Promise<WeightsSource>) | undefined;
}

export interface ReadWeightsOptions extends OpenWeightsOptions {
  /** Keep the types of the file instead of converting to Convoke's. Default false. */
  readonly stored?: boolean | undefined;
}

/** A weight file that has been read: what `WeightsFile` tells, and all tensors. */
export interface WeightsContent<T extends StoredTensor = HostTensor> {
  readonly format: WeightsFormat;
  readonly file: string;
  readonly layout: WeightsLayout;
  readonly metadata: Readonly<Record<string, string>>;
  readonly skipped: readonly SkippedEntry[];
  readonly tensors: Map<string, T>;
}

const MAX_JSON = 128 << 20;
const HDF5 = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Opens a weight file: safetensors, PyTorch (zip or legacy), NumPy .npz and .npy, TensorFlow.js model.json, Keras .h5,
 * .weights.h5 and .keras. Reads what describes the tensors; these are read when asked for. Throws a WeightsError that names
 * the file: `read`, `format`, or `refused` for what holds programs instead of tensors.
 */
export async function openWeights(
  source: WeightsSource,
  options: OpenWeightsOptions = {},
): Promise<WeightsFile> {
  const bytes = await openSource(source, options);
  try {
    return await openAny(bytes, options);
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** Opens a weight file, reads all of it and closes it. Throws as `openWeights`, and `range` where a whole number does not fit int32. */
export async function readWeights(
  source: WeightsSource,
  options: ReadWeightsOptions & { readonly stored: true },
): Promise<WeightsContent<StoredTensor>>;
export async function readWeights(
  source: WeightsSource,
  options?: ReadWeightsOptions,
): Promise<WeightsContent>;
export async function readWeights(
  source: WeightsSource,
  options: ReadWeightsOptions = {},
): Promise<WeightsContent<StoredTensor>> {
  const opened = await openWeights(source, options);
  try {
    const { format, file, layout, metadata, skipped } = opened;
    const tensors: Map<string, StoredTensor> = options.stored
      ? await opened.readAllStored()
      : await opened.readAll();
    return { format, file, layout, metadata, skipped, tensors };
  } finally {
    await opened.close();
  }
}

/**
 * Opens a safetensors file: reads its header only, tensors when they are asked for, by their byte range. Throws a
 * WeightsError: `read`, `format`, or `refused` for the 8-bit floats.
 */
export async function openSafetensors(
  source: WeightsSource,
  options: SourceOptions = {},
): Promise<WeightsFile> {
  const bytes = await openSource(source, options);
  try {
    return await openSafetensorsSource(bytes);
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

async function openAny(source: ByteSource, options: OpenWeightsOptions): Promise<WeightsFile> {
  const fail = failing(source.name);
  if (source.size === 0) return fail('the file is empty');
  const start = await readBytes(source, 0, Math.min(512, source.size), 'its start');
  if (isZip(start)) return openZipped(await openZip(source), options);
  if (isLegacyPytorch(start)) return openPytorchLegacy(source, options);
  if (isNpy(start)) return openNpy(source);
  if (HDF5.every((byte, i) => start[i] === byte)) return openHdf5(source);
  // A header of less than 4 GiB, then its first brace.
  if (start[8] === 0x7b && start.subarray(4, 8).every((byte) => byte === 0)) {
    return openSafetensorsSource(source);
  }
  const text = new TextDecoder('latin1').decode(start);
  if (/^\s*\{/.test(text)) return openJson(source, options);
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    return fail(
      'it is a web page, not a weight file; the address leads elsewhere, or needs a login',
    );
  }
  if (text.startsWith('version https://git-lfs')) {
    return fail('it is a Git LFS pointer; fetch the file itself, with `git lfs pull`');
  }
  // A protobuf whose first fields are a version and a producer's name.
  if (start[0] === 0x08 && start[1]! < 32 && start[2] === 0x12) {
    return fail(
      'it looks like an ONNX model, which is no weight file and is not read here',
      'refused',
    );
  }
  if (text.slice(257, 262) === 'ustar') {
    return fail(
      'it is a tar archive; if PyTorch before 0.1.10 wrote it, save it anew in Python: torch.save(torch.load(path), path)',
      'refused',
    );
  }
  if (start[0] === 0x80 && start[1]! >= 1 && start[1]! <= 5) {
    return fail(
      'it is a pickle, but none that torch.save wrote; save tensors with torch.save',
      'refused',
    );
  }
  return openSafetensorsSource(source);
}

async function openZipped(zip: Zip, options: OpenWeightsOptions): Promise<WeightsFile> {
  const root = pytorchRoot(zip);
  if (root !== null) return openPytorchZip(zip, root, options);
  if (isNpz(zip)) return openNpz(zip);
  if (zip.entries.has('model.weights.h5')) {
    const { openKerasArchive } = await import('./hdf5/keras-archive.ts');
    return openKerasArchive(zip);
  }
  const script = [...zip.entries.keys()].some((name) => name.endsWith('constants.pkl'));
  return failing(zip.source.name)(
    script
      ? 'it is a TorchScript program, not a checkpoint'
      : 'it is a zip archive, but neither a PyTorch checkpoint nor .npz nor .keras',
    script ? 'refused' : 'format',
  );
}

async function openHdf5(source: ByteSource): Promise<WeightsFile> {
  const { openKerasSource } = await import('./hdf5/keras.ts');
  return openKerasSource(source);
}

async function openJson(source: ByteSource, options: OpenWeightsOptions): Promise<WeightsFile> {
  const fail = failing(source.name);
  if (source.size > MAX_JSON)
    return fail(`it is JSON of ${source.size} bytes; at most ${MAX_JSON} are read`);
  let json: unknown;
  try {
    json = JSON.parse(
      new TextDecoder().decode(await readBytes(source, 0, source.size, 'all of it')),
    );
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    return fail(`it is not JSON (${(error as Error).message}), and no weight file`);
  }
  if (!isTfjsModel(json))
    return fail("it is JSON, but no TensorFlow.js model: it has no 'weightsManifest'");
  const { siblings } = options;
  return openTfjs(source, json, async (path) => {
    expectSafePath(path, source.name);
    if (siblings) return openSource(await siblings(path), { ...options, file: path });
    if (source.sibling) return source.sibling(path);
    return fail(
      `its weights are in '${path}'; give the files beside it by the option \`siblings\``,
      'read',
    );
  });
}
