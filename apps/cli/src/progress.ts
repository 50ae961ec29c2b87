// How far a long piece of work is: a bar that redraws itself in a terminal, a plain line now and then in a pipe or a log.

import type { ProgressStream } from '@convoke/nn';

export interface Progress {
  /** What is counted, such as a file's name. */
  readonly label: string;
  readonly done: number;
  /** Null where it is not known. */
  readonly total: number | null;
  /** `12/40 pictures`. */
  readonly text: string;
}

const BAR_INTERVAL = 80;
const LINE_INTERVAL = 1000;

export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #terminal: boolean;
  #written = -Infinity;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
    this.#terminal = stream.isTTY === true;
  }

  update(progress: Progress): void {
    const now = performance.now();
    const ended = progress.done === progress.total;
    const interval = this.#terminal ? BAR_INTERVAL : LINE_INTERVAL;
    if (!ended && now - this.#written < interval) return;
    this.#written = now;
    const { label, text } = progress;
    if (!this.#terminal) this.#stream.write(`${label} ${text}\n`);
    else {
      this.clear();
      this.#stream.write(this.#bar(progress));
    }
  }

  /** Before anything else is written to the terminal. */
  clear(): void {
    if (this.#terminal) this.#stream.write('\r\u001B[K');
  }

  #bar({ label, done, total, text }: Progress): string {
    // Some terminals say 0.
    const columns = this.#stream.columns || 80;
    const width = Math.min(30, columns - label.length - text.length - 5);
    if (total === null || width < 4) return `${label} ${text}`.slice(0, columns - 1);
    const filled = Math.round((done / Math.max(total, 1)) * width);
    return `${label} [${'='.repeat(filled)}${' '.repeat(width - filled)}] ${text}`;
  }
}
