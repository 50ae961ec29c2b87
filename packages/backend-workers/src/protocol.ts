// The messages between the caller and its workers. With shared memory there are few: start, ready, notices. With private
// memory commands and what is read travel in them.

/** The first message to a worker. */
export interface StartMessage {
  readonly kind: 'start';
  readonly module: WebAssembly.Module;
  /** Shared memory, or how large a private one is to be. */
  readonly memory:
    | WebAssembly.Memory
    | { readonly initialPages: number; readonly maximumPages: number };
  readonly thread: number;
  /** Looks at an idle ring before the thread goes to sleep. */
  readonly spins: number;
  /** Name of the Web Lock that the worker holds as long as it lives, in browsers that have locks. */
  readonly lock: string;
}

/** Commands for a worker with private memory, then a read or a wait. */
export interface BatchMessage {
  readonly kind: 'batch';
  readonly words: Int32Array<ArrayBuffer>;
  /** Bytes of memory that these commands need. */
  readonly memoryBytes: number;
  readonly answer: AnswerRequest | null;
}

export interface AnswerRequest {
  readonly token: number;
  readonly address: number;
  readonly bytes: number;
}

export type ToWorker = StartMessage | BatchMessage;

/** A failed command: kernel number, code, value, low 32 bits of its sequence number. */
export type FailureWords = readonly [kernel: number, code: number, value: number, sequence: number];

export type FromWorker =
  /** `locked`: whether the worker holds its lock. */
  | { readonly kind: 'ready'; readonly locked: boolean }
  /** All commands before the notice with this token have run. */
  | { readonly kind: 'notice'; readonly token: number }
  | {
      readonly kind: 'answer';
      readonly token: number;
      readonly data: Uint8Array<ArrayBuffer>;
      /** Low 32 bits of how many commands have run. */
      readonly completed: number;
      readonly failures: readonly FailureWords[];
    }
  /** The worker's code threw; it does nothing more. */
  | { readonly kind: 'crashed'; readonly message: string };
