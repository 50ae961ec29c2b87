// Progress for people: a bar that redraws itself in a terminal, one plain line an epoch in a pipe or a log.

import type { Callback, EpochRecord, StepEvent } from './callbacks.ts';

/** What is written to: `process.stdout` and `process.stderr` fit. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const percent = (share: number | null): string =>
  share === null ? '' : `${(100 * share).toFixed(1)} %`;

function epochLine(record: EpochRecord, epochs: number): string {
  const parts = [
    `epoch ${String(record.epoch + 1).padStart(String(epochs).length)}/${epochs}`,
    `loss ${record.loss.toFixed(4)}`,
    record.accuracy === null ? '' : `accuracy ${percent(record.accuracy)}`,
    record.validationLoss === null ? '' : `validation loss ${record.validationLoss.toFixed(4)}`,
    record.validationAccuracy === null ? '' : `accuracy ${percent(record.validationAccuracy)}`,
    `${Math.round(record.images / Math.max(record.seconds, 1e-9))} images/s`,
  ];
  return parts.filter(Boolean).join('  ');
}

function bar(event: StepEvent, columns: number): string {
  const share = (event.batch + 1) / event.batchesPerEpoch;
  const head = `epoch ${event.epoch + 1}/${event.epochs} `;
  const tail = ` ${event.batch + 1}/${event.batchesPerEpoch}  loss ${event.meanLoss.toFixed(4)}  ${percent(event.accuracy)}  ${Math.round(event.imagesPerSecond)} images/s`;
  const width = Math.min(30, columns - head.length - tail.length - 3);
  if (width < 4) return (head + tail).slice(0, columns - 1);
  const filled = Math.round(share * width);
  return `${head}[${'='.repeat(filled)}${' '.repeat(width - filled)}]${tail}`;
}

/** Writes progress to `stream`: a bar where it is a terminal, plain lines elsewhere. */
export function progress(stream: ProgressStream): Callback {
  const terminal = stream.isTTY === true;
  const minimumInterval = 80;
  let drawn = 0;
  const clear = (): void => {
    if (terminal) stream.write('\r\u001B[K');
  };
  return {
    onStart(run) {
      const { length } = run.history;
      if (length >= run.epochs) stream.write(`all ${run.epochs} epochs are done\n`);
      else if (run.steps > 0) {
        stream.write(`resuming in epoch ${length + 1} of ${run.epochs}, after step ${run.steps}\n`);
      }
    },
    onStep(event) {
      const now = performance.now();
      if (!terminal || now - drawn < minimumInterval) return;
      drawn = now;
      clear();
      stream.write(bar(event, stream.columns ?? 80));
    },
    onEpochEnd(record, run) {
      clear();
      stream.write(`${epochLine(record, run.epochs)}\n`);
    },
    onEnd() {
      clear();
    },
  };
}
