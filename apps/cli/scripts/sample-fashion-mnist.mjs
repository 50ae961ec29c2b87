// Makes the sample of Fashion-MNIST in data/fashion-mnist from the complete data set:
//   node scripts/sample-fashion-mnist.mjs FOLDER
// FOLDER holds the four original files ({train,t10k}-{images-idx3,labels-idx1}-ubyte.gz), such as those of Debian's package
// dataset-fashion-mnist. The sample keeps the first images of every class, in the original order: 200 a class for training,
// 50 a class for testing.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const CLASSES = 10;
const PIXELS = 28 * 28;
const IMAGES_MAGIC = 2051;
const LABELS_MAGIC = 2049;

const [source] = process.argv.slice(2);
if (!source) {
  console.error('usage: node scripts/sample-fashion-mnist.mjs FOLDER-OF-THE-COMPLETE-DATA-SET');
  process.exit(1);
}
const target = fileURLToPath(new URL('../data/fashion-mnist/', import.meta.url));
mkdirSync(target, { recursive: true });

function header(...numbers) {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, i) => bytes.writeUInt32BE(number, 4 * i));
  return bytes;
}

function body(file, magic, headerBytes) {
  const bytes = gunzipSync(readFileSync(join(source, file)));
  if (bytes.readUInt32BE(0) !== magic)
    throw new Error(`${file}: not an IDX file of the expected kind`);
  return bytes.subarray(headerBytes);
}

for (const [split, perClass] of [
  ['train', 200],
  ['t10k', 50],
]) {
  const imagesFile = `${split}-images-idx3-ubyte.gz`;
  const labelsFile = `${split}-labels-idx1-ubyte.gz`;
  const images = body(imagesFile, IMAGES_MAGIC, 16);
  const labels = body(labelsFile, LABELS_MAGIC, 8);
  const taken = Array.from({ length: CLASSES }, () => 0);
  const indices = [];
  labels.forEach((label, i) => {
    if (taken[label]++ < perClass) indices.push(i);
  });
  const chosen = indices.map((i) => images.subarray(i * PIXELS, (i + 1) * PIXELS));
  const write = (file, ...parts) =>
    writeFileSync(join(target, file), gzipSync(Buffer.concat(parts), { level: 9 }));
  write(imagesFile, header(IMAGES_MAGIC, indices.length, 28, 28), ...chosen);
  write(
    labelsFile,
    header(LABELS_MAGIC, indices.length),
    Buffer.from(indices.map((i) => labels[i])),
  );
  console.log(`${split}: ${indices.length} images`);
}
