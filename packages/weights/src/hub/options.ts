// What `fetchWeights` is told, tells on the way, and gives.

import type { Integrity } from './checksum.ts';

export interface FetchProgress {
  /** The file's name. */
  readonly file: string;
  /** Bytes so far. */
  readonly loaded: number;
  /** Bytes in all; null where the server does not tell. Known before the first byte comes where it does. */
  readonly total: number | null;
  /** `waiting`: another process or tab downloads it. `checking`: bytes that are here already are hashed. */
  readonly phase: 'waiting' | 'downloading' | 'checking';
}

export interface FetchOptions {
  /** 64 hex digits, or the first 8 or more of them. Goes before what the file's name says. */
  readonly sha256?: string | undefined;
  /** Whether `-f37072fd.` in a file's name is the beginning of its sha256, as torchvision has it. Default true. */
  readonly hashFromName?: boolean | undefined;
  /** The file's length in bytes. */
  readonly size?: number | undefined;
  /** No more than so many bytes are taken. Default 16 GiB. */
  readonly maxBytes?: number | undefined;
  /** URLs of the same file, or of folders (ending in `/`) that have it, tried in this order when the reference fails. */
  readonly mirrors?: readonly string[] | undefined;
  /**
   * In Node a folder; default CONVOKE_CACHE, XDG_CACHE_HOME/convoke, or the platform's. In browsers the name of a folder in the
   * origin's private file system; default `convoke`.
   */
  readonly cache?: string | undefined;
  /** Only what is cached. Default: whether CONVOKE_OFFLINE or HF_HUB_OFFLINE is 1. */
  readonly offline?: boolean | undefined;
  /** Downloads again though the file is cached; a file of unknown hash has to be the same as before. Default false. */
  readonly refresh?: boolean | undefined;
  /** Hashes a cached file again though its size and time are those noted. Default false. */
  readonly verify?: boolean | undefined;
  /** For the host of the reference. Default HF_TOKEN, for the hub's host. No other host gets it, after a redirect either. */
  readonly token?: string | undefined;
  /** The hub of `hf:` references. Default HF_ENDPOINT, or https://huggingface.co. */
  readonly endpoint?: string | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
  /** Ends the call with the signal's reason; what has come is kept, and the next call goes on from there. */
  readonly signal?: AbortSignal | undefined;
  /** How often a place is tried again without getting on; 0 means once and no more. Default 4. */
  readonly retries?: number | undefined;
  /** Milliseconds before the second try; doubles with each. Default 500. */
  readonly retryDelay?: number | undefined;
  /** Milliseconds without a byte after which a try has failed. Default 30,000. */
  readonly stallTimeout?: number | undefined;
}

export interface FetchedWeights {
  readonly reference: string;
  /** The file's name; its ending tells the format. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** Where the file is on disk; only in Node. */
  readonly path?: string;
  /** The path, or the URL (without its query) that the bytes came from. */
  readonly source: string;
  /** In full; null for local files that nothing is known of. */
  readonly sha256: string | null;
  /**
   * What the bytes were compared with: the whole `sha256` or a `prefix` given or in the name; the hash that the server
   * `announced`; the one `recorded` at the first download. `first`: nothing, this is the first download, and its hash is now
   * recorded. `unchecked`: nothing, a local file.
   */
  readonly integrity: Integrity;
  readonly fromCache: boolean;
  /** Whether another process or tab had to finish first. */
  readonly waited: boolean;
  /** False for local files, and in browsers that keep no files for the page. */
  readonly cached: boolean;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** Read from where the file is: `slice` loads only its range. */
  blob(): Promise<Blob>;
}
