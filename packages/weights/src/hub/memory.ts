// No cache: where a browser keeps no files for the page (no secure context, private windows), a download lives in memory only.

import type { Content, Partial, PartialAbout, Store } from './store.ts';

/** Bytes in memory as content. */
export function memoryContent(blob: Blob): Content {
  return {
    size: blob.size,
    modified: 0,
    bytes: async () => new Uint8Array(await blob.arrayBuffer()),
    blob: async () => blob,
  };
}

function memoryPartial(): Partial {
  let about: PartialAbout | null = null;
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const forget = async (): Promise<void> => {
    chunks = [];
    size = 0;
  };
  return {
    get about() {
      return about;
    },
    get size() {
      return size;
    },
    chunks: async function* () {
      yield* chunks;
    },
    restart: async (next) => {
      await forget();
      about = next;
    },
    append: async (chunk) => {
      chunks.push(chunk.slice());
      size += chunk.length;
    },
    commit: async () => memoryContent(new Blob(chunks)),
    close: forget,
    discard: forget,
  };
}

/** A store that keeps nothing. */
export function openMemory(): Store {
  return {
    lasting: false,
    entry: () => ({
      place:
        "memory only: this page has no private file system (it needs https and a window that isn't private)",
      find: async () => null,
      record: async () => null,
      note: async () => undefined,
      lock: async () => ({
        waited: false,
        isOurs: async () => true,
        release: async () => undefined,
      }),
      openPartial: async () => memoryPartial(),
    }),
    list: async () => [],
    clear: async () => ({ files: 0, bytes: 0, busy: [] }),
  };
}
