// NumPy's .npz: a zip archive of .npy files, stored or deflated.

import { failing, WeightsError, type Fail } from '../errors.ts';
import { allocate } from '../sources/source.ts';
import { bytesOf, viewAs, type StoredData, type StoredTensor } from '../tensors.ts';
import { WeightsFile, type LoadableEntry, type SkippedEntry } from '../weights-file.ts';
import { crc32 } from './crc32.ts';
import { inflateInto } from './inflate.ts';
import {
  arrangeNpy,
  npyHeaderLength,
  parseNpyHeader,
  serializeNpy,
  type NpyHeader,
} from './npy.ts';
import { readZipInto, writeZip, zipDataOffset, type Zip, type ZipEntry } from './zip.ts';

export function isNpz(zip: Zip): boolean {
  return [...zip.entries.keys()].some((name) => name.endsWith('.npy'));
}

export async function openNpz(zip: Zip): Promise<WeightsFile> {
  const { source } = zip;
  const entries = new Map<string, LoadableEntry>();
  const skipped: SkippedEntry[] = [];
  for (const entry of zip.entries.values()) {
    const name = entry.name.replace(/\.npy$/, '');
    if (name === entry.name) {
      skipped.push({ name, reason: 'no .npy file' });
      continue;
    }
    const fail = failing(`${source.name}: array '${name}'`);
    try {
      const header = parseNpyHeader(await headerBytes(zip, entry, fail), fail);
      const { dtype, shape, dataStart } = header;
      const bytes = bytesOf(dtype, shape);
      if (dataStart + bytes !== entry.size) {
        fail(
          `${dtype} [${shape.join(', ')}] takes ${bytes} bytes, but ${entry.size - dataStart} follow its header`,
        );
      }
      entries.set(name, { dtype, shape, load: () => load(zip, entry, header, fail) });
    } catch (error) {
      if (!(error instanceof WeightsError) || error.code !== 'refused') throw error;
      skipped.push({ name, reason: error.message });
    }
  }
  const [first] = skipped;
  if (entries.size === 0 && first) throw new WeightsError('refused', first.reason);
  return new WeightsFile({
    format: 'npz',
    file: source.name,
    layout: 'pytorch',
    entries,
    skipped,
    prefetch: source.prefetch?.bind(source),
    close: () => source.close(),
  });
}

/** The start of an entry: headers are short, a deflated one is unpacked only as far. */
async function headerBytes(zip: Zip, entry: ZipEntry, fail: Fail): Promise<Uint8Array> {
  const start = async (length: number): Promise<Uint8Array> => {
    const wanted = Math.min(length, entry.size);
    return entry.deflated
      ? inflateStart(zip, entry, wanted, fail)
      : storedStart(zip, entry, wanted);
  };
  const guess = await start(128);
  const length = npyHeaderLength(guess, fail);
  if (length > entry.size) fail('it is shorter than its header');
  return length <= guess.length ? guess.subarray(0, length) : start(length);
}

async function storedStart(zip: Zip, entry: ZipEntry, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await readZipInto(zip, entry, bytes);
  return bytes;
}

async function inflateStart(
  zip: Zip,
  entry: ZipEntry,
  length: number,
  fail: Fail,
): Promise<Uint8Array> {
  const offset = await zipDataOffset(zip, entry);
  const deflated = { format: 'deflate-raw', offset, packed: entry.packed } as const;
  const bytes = new Uint8Array(length);
  await inflateInto(bytes, zip.source, deflated, fail, { partly: true });
  return bytes;
}

async function load(zip: Zip, entry: ZipEntry, header: NpyHeader, fail: Fail): Promise<StoredData> {
  // Header and elements in one buffer, so that the checksum covers both; the elements begin at a multiple of 16 in files
  // that NumPy wrote, else they move.
  const bytes = allocate(entry.size, `${zip.source.name}: '${entry.name}'`);
  await readZipInto(zip, entry, bytes);
  if (crc32(bytes) !== entry.crc) fail('its checksum is wrong; the file is damaged');
  const elements = bytes.subarray(header.dataStart);
  const aligned = header.dataStart % 8 === 0 ? elements : elements.slice();
  return arrangeNpy(viewAs(header.dtype, aligned), header);
}

/**
 * The bytes of an .npz file, stored without compression, as `numpy.savez` does. Equal input gives equal bytes. Throws a
 * WeightsError (`format`) for bfloat16, which NumPy lacks, and above 4 GiB.
 */
export function serializeNpz(tensors: ReadonlyMap<string, StoredTensor>): Uint8Array<ArrayBuffer> {
  const files = [...tensors].map(
    ([name, tensor]) =>
      [`${name}.npy`, serializeNpy(tensor, failing(`serializeNpz: tensor '${name}'`))] as const,
  );
  return writeZip(files, failing('serializeNpz'));
}
