// Object headers: lists of messages, in the old form (version 1) and the new one (version 2), continued elsewhere at will.

import type { Cursor } from './cursor.ts';
import type { Hdf5Storage } from './storage.ts';

export interface Message {
  readonly type: number;
  /** Whether the data are only a reference to what is shared with other objects. */
  readonly shared: boolean;
  readonly bytes: Uint8Array;
}

const CONTINUATION = 0x10;
const MAX_MESSAGES = 100_000;

export async function readMessages(storage: Hdf5Storage, address: number): Promise<Message[]> {
  const start = await storage.window(address, 64, 'an object header');
  const modern = start.bytes[0] === 0x4f;
  const messages: Message[] = [];
  const blocks: { readonly cursor: Cursor; readonly tracked: boolean }[] = [];
  let tracked = false;
  if (modern) {
    start.expect('OHDR');
    start.expectVersion(2, 'an object header');
    const flags = start.uint8();
    tracked = (flags & 4) !== 0;
    if (flags & 0x20) start.skip(16);
    if (flags & 0x10) start.skip(4);
    const size = start.uint(1 << (flags & 3));
    blocks.push({
      cursor: await storage.cursor(address + start.at, size, 'an object header'),
      tracked,
    });
  } else {
    start.expectVersion(1, 'an object header');
    start.skip(7);
    const size = start.uint32();
    blocks.push({ cursor: await storage.cursor(address + 16, size, 'an object header'), tracked });
  }
  const visited = new Set<number>();
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    const { cursor } = block;
    const head = modern ? 4 + (tracked ? 2 : 0) : 8;
    while (cursor.left >= head) {
      const type = modern ? cursor.uint8() : cursor.uint16();
      const size = cursor.uint16();
      const flags = cursor.uint8();
      cursor.skip(head - (modern ? 4 : 5));
      const bytes = cursor.take(size);
      if (messages.length > MAX_MESSAGES)
        storage.fail('an object has too many messages; it is damaged');
      if (type !== CONTINUATION) {
        messages.push({ type, shared: (flags & 2) !== 0, bytes });
        continue;
      }
      const reference = storage.of(bytes);
      const next = reference.offset() ?? storage.fail('an object header goes on nowhere');
      const length = reference.length();
      if (visited.has(next)) storage.fail('an object header goes round in a circle; it is damaged');
      visited.add(next);
      const rest = await storage.cursor(next, length, 'an object header');
      if (!modern) blocks.push({ cursor: rest, tracked });
      else {
        rest.expect('OCHK');
        // Its checksum is at the end.
        const inner = rest.take(Math.max(0, rest.left - 4));
        blocks.push({ cursor: storage.of(inner), tracked });
      }
    }
  }
  return messages;
}
