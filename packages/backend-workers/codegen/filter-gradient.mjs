// Gradient of a dense convolution with respect to its filter: dW[o][tap][c] is the sum over output pixels of
// gradient[pixel][o] * x[pixel * stride + tap][c]. A matrix product whose inner length runs over pixels: up to 6 channels of x
// times 8 outputs in registers. Both are read in place, along runs of pixels (a tap's share of a row of the output), so
// padding costs nothing and nothing is packed.

const range = (n) => Array.from({ length: n }, (_, i) => i);

/** `rows` channels times `vectors` * 4 outputs, summed over runs [x, gradient, pixels]. */
function tile(rows, vectors) {
  const each = (f) => range(rows).flatMap((i) => range(vectors).map((j) => f(i, j)));
  return `
function tile${rows}x${vectors * 4}(
  run: usize, end: usize, channel: usize, output: usize, advance: usize, outAdvance: usize, to: usize, add: bool,
): void {
  ${each((i, j) => `let s${i}_${j} = f32x4.splat(0);`).join(' ')}
  for (; run < end; run += 12) {
    let x: usize = <usize>load<u32>(run) + channel, g: usize = <usize>load<u32>(run, 4) + output;
    let n = load<i32>(run, 8);
    do {
      ${range(vectors)
        .map((j) => `const g${j} = v128.load(g, ${j * 16});`)
        .join(' ')}
${range(rows)
  .map(
    (i) =>
      `      const x${i} = v128.load32_splat(x, ${i * 4}); ${range(vectors)
        .map((j) => `s${i}_${j} = madd(x${i}, g${j}, s${i}_${j});`)
        .join(' ')}`,
  )
  .join('\n')}
      x += advance;
      g += outAdvance;
    } while (--n);
  }
  if (add) {
    ${each((i, j) => `s${i}_${j} = f32x4.add(s${i}_${j}, v128.load(to, ${i * 32 + j * 16}));`).join(' ')}
  }
  ${each((i, j) => `v128.store(to, s${i}_${j}, ${i * 32 + j * 16});`).join(' ')}
}
`;
}

const MOST_ROWS = 6;

/** Calls the tile of `rows` rows. */
function choose(vectors) {
  const call = (rows) =>
    `tile${rows}x${vectors * 4}(runs, end, channel, output, advance, outAdvance, to, add)`;
  return range(MOST_ROWS)
    .map((i) => MOST_ROWS - i)
    .map((rows) => (rows > 1 ? `if (rows == ${rows}) ${call(rows)};` : `${call(rows)};`))
    .join('\n        else ');
}

export function generate() {
  const tiles = [1, 2].flatMap((vectors) => range(MOST_ROWS).map((i) => tile(i + 1, vectors)));
  return {
    'filter-gradient.ts': `import { fused, madd } from '../simd';
import { scratch } from '../thread';
${tiles.join('')}
// @kernel
// Sums over some blocks of pixels (a part), for some taps and outputs of a group: [part][group][O/8][taps][C][8].
// A unit is a piece of a row of outputs, a block some units. Arguments: x, gradient, sums, channels and outputs of a group,
// bytes of a group in x and gradient, height, bytes of a row and of an image, output height, bytes of an output row and of an
// output pixel, taps y and x, top, stride, dilation and distance of input elements along y, bytes from element to element and
// from output to output of a run, units, pieces a row, outputs a piece, units a block, blocks, blocks a part, tiles (taps *
// O/8), tiles a chunk, chunks a part, groups, bytes of an input pixel, whether to add to what the sums are, then for each tap x: first
// output, first element, count.
export function filterGradient(a: usize, chunk: i32): void {
  const c = load<i32>(a, 12), outputs = load<i32>(a, 16);
  const h = load<i32>(a, 28);
  const rowBytes: usize = load<u32>(a, 32), imageBytes: usize = load<u32>(a, 36);
  const outH = load<i32>(a, 40);
  const outRowBytes: usize = load<u32>(a, 44), outPixelBytes: usize = load<u32>(a, 48);
  const tapsY = load<i32>(a, 52), tapsX = load<i32>(a, 56), top = load<i32>(a, 60);
  const strideY = load<i32>(a, 64), stepY = load<i32>(a, 68), betweenY = load<i32>(a, 72);
  const advance: usize = load<u32>(a, 76), outAdvance: usize = load<u32>(a, 80);
  const units = load<i32>(a, 84), pieces = load<i32>(a, 88), pieceLength = load<i32>(a, 92);
  const perBlock = load<i32>(a, 96), blocks = load<i32>(a, 100), perPart = load<i32>(a, 104);
  const tiles = load<i32>(a, 108), perChunk = load<i32>(a, 112), chunksPerPart = load<i32>(a, 116);
  const groups = load<i32>(a, 120);
  const pixelBytes: usize = load<u32>(a, 124);
  const goesOn = load<i32>(a, 128) != 0;

  const tileChunk = chunk % chunksPerPart, rest = chunk / chunksPerPart;
  const group = rest % groups, part = rest / groups;
  const x: usize = <usize>load<u32>(a) + <usize>load<u32>(a, 20) * group;
  const gradient: usize = <usize>load<u32>(a, 4) + <usize>load<u32>(a, 24) * group;
  const outBlocks = (outputs + 7) >> 3, taps = tapsY * tapsX;
  const sums: usize = <usize>load<u32>(a, 8) + (<usize>((part * groups + group) * outBlocks * taps) * c << 5);
  const firstTile = tileChunk * perChunk, endTile = min(firstTile + perChunk, tiles);
  const firstBlock = part * perPart, endBlock = min(firstBlock + perPart, blocks);
  // Channels of a tile at most: two roundings need a register more.
  const most = fused() ? ${MOST_ROWS} : 4;
  const tilesAcross = (c + most - 1) / most;
  const runs = scratch();

  for (let block = firstBlock; block < endBlock; block++) {
    const add = goesOn || block > firstBlock;
    const firstUnit = block * perBlock, endUnit = min(firstUnit + perBlock, units);
    let tap = -1, end = runs;
    for (let tile = firstTile; tile < endTile; tile++) {
      if (tile / outBlocks != tap) {
        tap = tile / outBlocks;
        const ky = tap / tapsX, entry = a + 132 + <usize>((tap % tapsX) * 12);
        const firstOut = load<i32>(entry), firstElement = load<i32>(entry, 4), count = load<i32>(entry, 8);
        end = runs;
        for (let unit = firstUnit; unit < endUnit; unit++) {
          const row = unit / pieces, piece = (unit - row * pieces) * pieceLength;
          const n = min(pieceLength, count - piece);
          if (n <= 0) continue;
          const image = row / outH, outY = row - image * outH;
          let y = outY * strideY + ky * stepY - top;
          if (y < 0) continue;
          if (betweenY > 1) {
            if (y % betweenY) continue;
            y /= betweenY;
          }
          if (y >= h) continue;
          const from: usize = x + <usize>image * imageBytes + <usize>y * rowBytes + <usize>firstElement * pixelBytes;
          store<u32>(end, <u32>(from + <usize>piece * advance));
          const g: usize = gradient + <usize>row * outRowBytes + <usize>firstOut * outPixelBytes;
          store<u32>(end, <u32>(g + <usize>piece * outAdvance), 4);
          store<i32>(end, n, 8);
          end += 12;
        }
      }
      const outBlock = tile - tap * outBlocks;
      const output: usize = <usize>outBlock << 5;
      const narrow = outputs - (outBlock << 3) <= 4;
      let to: usize = sums + (<usize>(outBlock * taps + tap) * c << 5);
      let channel: usize = 0;
      for (let i = 0, left = c; i < tilesAcross; i++) {
        // As even as can be: 16 channels as 6, 5, 5.
        const rows = (left + tilesAcross - i - 1) / (tilesAcross - i);
        if (narrow) {
        ${choose(1)}
        } else {
        ${choose(2)}
        }
        left -= rows;
        channel += <usize>rows << 2;
        to += <usize>rows << 5;
      }
    }
  }
}

// @kernel
// Adds the parts in order and writes [O][C][taps]. A unit is a channel of 8 outputs. Arguments: sums, filter, channels and
// outputs of a group, groups, taps, parts, units a chunk.
export function finishFilterGradient(a: usize, chunk: i32): void {
  const sums: usize = load<u32>(a), filter: usize = load<u32>(a, 4);
  const c = load<i32>(a, 8), outputs = load<i32>(a, 12), groups = load<i32>(a, 16), taps = load<i32>(a, 20);
  const parts = load<i32>(a, 24), perChunk = load<i32>(a, 28);
  const outBlocks = (outputs + 7) >> 3;
  const partBytes: usize = <usize>(groups * outBlocks * taps) * c << 5;
  const first = chunk * perChunk, end = min(first + perChunk, groups * outBlocks * c);
  const next: usize = <usize>(c * taps) << 2, tapBytes: usize = <usize>c << 5;
  for (let unit = first; unit < end; unit++) {
    const block = unit / c, channel = unit - block * c;
    const group = block / outBlocks, output = (block - group * outBlocks) << 3;
    const lanes = outputs - output;
    let from: usize = sums + (<usize>(block * taps * c + channel) << 5);
    let to: usize = filter + (<usize>((group * outputs + output) * c + channel) * taps << 2);
    for (let tap = 0; tap < taps; tap++) {
      let low = f32x4.splat(0), high = low, at = from;
      for (let i = 0; i < parts; i++) {
        low = f32x4.add(low, v128.load(at));
        high = f32x4.add(high, v128.load(at, 16));
        at += partBytes;
      }
      if (lanes >= 8) {
        let place = to;
        ${range(8)
          .map(
            (i) => `v128.store32_lane(place, ${i < 4 ? 'low' : 'high'}, ${i % 4}); place += next;`,
          )
          .join('\n        ')}
      } else {
        let place = to;
        ${range(7)
          .map(
            (i) =>
              `${i ? `if (lanes > ${i}) ` : ''}v128.store32_lane(place, ${i < 4 ? 'low' : 'high'}, ${i % 4}); place += next;`,
          )
          .join('\n        ')}
      }
      to += 4;
      from += tapBytes;
    }
  }
}

`,
  };
}
