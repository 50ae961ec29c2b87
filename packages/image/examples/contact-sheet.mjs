// Every classic filter on one picture, side by side, as a PNG:
//
//   node contact-sheet.mjs [PICTURE [OUTPUT]]
//
// Without a picture it takes a drawn one; the output is contact-sheet.png unless given. Needs @convoke/image and sharp.

import { writeFile } from 'node:fs/promises';

import {
  filterPlanes,
  fromPlanes,
  gaussianKernel,
  grayscale,
  Image,
  KERNELS,
  pad,
  resizeShorterSide,
  toPlanes,
} from '@convoke/image';
import { decode, encode } from '@convoke/image/node';

const [, , path, output = 'contact-sheet.png'] = process.argv;

/** A disc, a square and a ramp: edges of every direction. */
function drawing() {
  const image = new Image({ width: 200, height: 150, channels: 1 });
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const disc = Math.hypot(x - 60, y - 75) < 40;
      const square = Math.abs(x - 145) < 30 && Math.abs(y - 75) < 30;
      image.data[y * image.width + x] = disc ? 230 : square ? 20 : 60 + x / 2;
    }
  }
  return image;
}

const picture = path === undefined ? drawing() : await decode(path, { channels: 1 });
const grey = resizeShorterSide(grayscale(picture), { size: 150, maxSize: 300 });
const planes = toPlanes(grey);

const kernels = { ...KERNELS, gaussian: gaussianKernel({ kernelSize: 9, sigma: 2 }) };
const tiles = [grey];
for (const [name, kernel] of Object.entries(kernels)) {
  // The plain edge filters show one direction, dark to bright or bright to dark; the operators below them both.
  const absolute = /[XY]$|laplacian/.test(name);
  const answer = filterPlanes(planes, { kernel, absolute });
  // Each tile has a scale of its own: kernels differ in how loud they are.
  const most = answer.data.reduce((a, b) => Math.max(a, b), 1e-6);
  tiles.push(fromPlanes(answer, { scale: most / 255 }));
}

const columns = 4;
const rows = Math.ceil(tiles.length / columns);
const margin = 4;
const [width, height] = [grey.width + 2 * margin, grey.height + 2 * margin];
const sheet = new Image({ width: columns * width, height: rows * height, channels: 1 });
sheet.data.fill(255);
for (const [i, tile] of tiles.entries()) {
  // What a kernel cannot answer at the border stays white.
  const [left0, top0] = [(width - tile.width) >> 1, (height - tile.height) >> 1];
  const framed = pad(tile, {
    left: left0,
    top: top0,
    right: width - tile.width - left0,
    bottom: height - tile.height - top0,
    fill: 255,
  });
  const left = (i % columns) * width;
  const top = Math.floor(i / columns) * height;
  for (let y = 0; y < height; y++) {
    const row = framed.data.subarray(y * width, (y + 1) * width);
    sheet.data.set(row, (top + y) * sheet.width + left);
  }
}
await writeFile(output, await encode(sheet, { format: 'png' }));

console.log(`${output}: ${sheet.width} x ${sheet.height}, row by row, ${columns} a row`);
for (const [i, name] of ['the picture', ...Object.keys(kernels)].entries()) {
  console.log(`${String(i + 1).padStart(3)}  ${name}`);
}
