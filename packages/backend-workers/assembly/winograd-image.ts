// What Winograd transforms know of the images: read from a command's arguments, where src/kernels/winograd.ts puts them in
// this order.

@unmanaged
export class Image {
  /** Addresses. */
  x: u32;
  filter: u32;
  bias: u32;
  residual: u32;
  y: u32;
  zeros: u32;
  height: i32;
  width: i32;
  pixelBytes: u32;
  channels: i32;
  outputs: i32;
  outputHeight: i32;
  outputWidth: i32;
  /** Padding. */
  top: i32;
  left: i32;
  /** Tiles of an image; they are counted through images, rows, columns. */
  tileRows: i32;
  tileColumns: i32;
  /** Tiles that this command treats. */
  firstTile: i32;
  endTile: i32;
  perChunk: i32;
  /** Output pixels of a tile, each way: 4 or 2. */
  m: i32;
  /** Workspaces: transformed tiles, and their products. */
  v: u32;
  products: u32;
  columnsPerChunk: i32;
  columnChunks: i32;
  microRows: i32;
  low: f32;
  high: f32;

  get limits(): usize {
    return changetype<usize>(this) + offsetof<Image>('low');
  }
}
