// Between host arrays and the engine's memory, in stream order. Small writes travel in commands; a read is first copied to a
// block of its own, because later commands may write over what is read, or have its memory, before the host gets to it.

import type { Allocator, Block } from './allocator.ts';
import type { CommandBuffer } from './commands.ts';
import { kernelNumber } from './kernel-names.ts';
import type { Link } from './link.ts';

/** Bytes that one command carries, and that one chunk copies. */
const PIECE = 2 ** 18;

/** Appends commands that write `bytes` to `address`. */
export function encodeWrite(commands: CommandBuffer, address: number, bytes: Uint8Array): void {
  const kernel = kernelNumber('write');
  for (let from = 0; from < bytes.length; from += PIECE) {
    const piece = bytes.subarray(from, from + PIECE);
    const at = commands.begin(kernel, 1, 2 + Math.ceil(piece.length / 4));
    commands.words[at] = address + from;
    commands.words[at + 1] = piece.length;
    new Uint8Array(commands.words.buffer, (at + 2) * 4, piece.length).set(piece);
  }
}

function encodeCopy(commands: CommandBuffer, from: number, to: number, bytes: number): void {
  if (bytes === 0) return;
  commands.append(kernelNumber('copy'), Math.ceil(bytes / PIECE), [from, to, bytes, PIECE]);
}

/** Writes to a block that no command uses and none has been told of; false where the host must not write by itself. */
export function writeDirectly(
  link: Link,
  allocator: Allocator,
  block: Block,
  bytes: Uint8Array,
): boolean {
  if (!link.bytes) return false;
  const busyUntil = allocator.busyUntil(block);
  if (busyUntil > link.completed) link.refresh();
  if (busyUntil > link.completed) return false;
  link.bytes(block.address, bytes.length).set(bytes);
  return true;
}

/** A copy of the first `bytes` of a block, as of now in stream order. */
export async function readBlock(
  link: Link,
  allocator: Allocator,
  commands: CommandBuffer,
  block: Block,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (link.snapshots) return link.fetch(block.address, bytes);
  let staging: Block;
  try {
    staging = allocator.allocate(bytes, 'read');
  } catch (error) {
    // With the memory full there is still the slow way, where this thread may wait.
    if (link.wait) return readNow(link, block, bytes);
    throw error;
  }
  try {
    encodeCopy(commands, block.address, staging.address, bytes);
    link.submit(commands);
    return await link.fetch(staging.address, bytes);
  } finally {
    allocator.free(staging, link.submitted);
  }
}

/** The same, blocking this thread until it is there. Only with a link that can wait. */
export function readNow(link: Link, block: Block, bytes: number): Uint8Array<ArrayBuffer> {
  link.wait!();
  return link.bytes!(block.address, bytes).slice();
}
