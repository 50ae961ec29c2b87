// What is counted while batches pass: mean loss, top-k accuracy, the confusion matrix. Plain data, so that a checkpoint in
// the middle of an epoch can hold it.

import { DataError } from '@convoke/core';

export interface MetricsState {
  readonly samples: number;
  readonly lossSum: number;
  /** Samples that counted towards accuracy. */
  readonly classified: number;
  readonly correct: number;
  readonly correctTopK: number;
}

export interface MetricsSummary {
  readonly samples: number;
  /** Mean over samples. */
  readonly loss: number;
  /** Share of samples whose highest output is the label's, 0 to 1; null where the model does not classify. */
  readonly accuracy: number | null;
  /** Share of samples whose label is among the `k` highest outputs; null where the model does not classify. */
  readonly topKAccuracy: number | null;
  /** `confusion[actual][predicted]`; empty where the model does not classify. */
  readonly confusion: readonly (readonly number[])[];
}

/** Index of the highest of `size` values from `start`; the first of equals. */
export function argmaxAt(values: ArrayLike<number>, start: number, size: number): number {
  let best = 0;
  for (let i = 1; i < size; i++) if (values[start + i]! > values[start + best]!) best = i;
  return best;
}

/** How many of `size` values from `start` rank before entry `index`: those higher, and equals with a lower index. */
function rankOf(values: ArrayLike<number>, start: number, size: number, index: number): number {
  const own = values[start + index]!;
  let rank = 0;
  for (let i = 0; i < size; i++) {
    const other = values[start + i]!;
    if (other > own || (other === own && i < index)) rank++;
  }
  return rank;
}

export class Metrics {
  readonly topK: number;
  #samples = 0;
  #lossSum = 0;
  #classified = 0;
  #correct = 0;
  #correctTopK = 0;
  /** Null where it is not wanted: for 1,000 classes it is large. */
  readonly #confusion: number[][] | null;

  constructor(topK: number, options: { confusion?: boolean; state?: MetricsState } = {}) {
    this.topK = topK;
    this.#confusion = options.confusion ? [] : null;
    const { state } = options;
    if (!state) return;
    this.#samples = state.samples;
    this.#lossSum = state.lossSum;
    this.#classified = state.classified;
    this.#correct = state.correct;
    this.#correctTopK = state.correctTopK;
  }

  /**
   * Adds a batch with its mean `loss`. Outputs of shape `[N, classes]` with class numbers for labels also count towards
   * accuracy, except for labels equal to `ignoreIndex`; others towards the loss only.
   */
  add(
    loss: number,
    outputs: ArrayLike<number>,
    outputShape: readonly number[],
    labels: Int32Array | Float32Array,
    ignoreIndex?: number,
  ): void {
    const n = outputShape[0] ?? 1;
    this.#samples += n;
    this.#lossSum += loss * n;
    if (outputShape.length !== 2 || !(labels instanceof Int32Array)) return;
    const classes = outputShape[1]!;
    for (let i = 0; i < n; i++) {
      const label = labels[i]!;
      if (label === ignoreIndex) continue;
      if (label < 0 || label >= classes) {
        throw new DataError(
          `metrics: label ${label} is out of range for a model of ${classes} classes`,
        );
      }
      const predicted = argmaxAt(outputs, i * classes, classes);
      if (predicted === label) this.#correct++;
      if (rankOf(outputs, i * classes, classes, label) < this.topK) this.#correctTopK++;
      this.#classified++;
      this.#count(label, predicted, classes);
    }
  }

  get loss(): number {
    return this.#samples === 0 ? 0 : this.#lossSum / this.#samples;
  }

  /** Null where the model does not classify. */
  get accuracy(): number | null {
    return this.#classified === 0 ? null : this.#correct / this.#classified;
  }

  get samples(): number {
    return this.#samples;
  }

  state(): MetricsState {
    return {
      samples: this.#samples,
      lossSum: this.#lossSum,
      classified: this.#classified,
      correct: this.#correct,
      correctTopK: this.#correctTopK,
    };
  }

  summary(): MetricsSummary {
    return {
      samples: this.#samples,
      loss: this.loss,
      accuracy: this.accuracy,
      topKAccuracy: this.#classified === 0 ? null : this.#correctTopK / this.#classified,
      confusion: (this.#confusion ?? []).map((row) => row.slice()),
    };
  }

  #count(label: number, predicted: number, classes: number): void {
    const confusion = this.#confusion;
    if (!confusion) return;
    while (confusion.length < classes) {
      confusion.push(Array.from({ length: classes }, () => 0));
    }
    confusion[label]![predicted]!++;
  }
}

/** The confusion matrix as aligned text: a row an actual class, a column a predicted one. */
export function formatConfusion(
  confusion: readonly (readonly number[])[],
  labels?: readonly string[],
): string {
  const names = confusion.map((_, i) => labels?.[i] ?? String(i));
  const nameWidth = Math.max(0, ...names.map((name) => name.length));
  const width = Math.max(3, ...confusion.flat().map((count) => String(count).length)) + 1;
  const header =
    ' '.repeat(nameWidth + 4) + names.map((_, i) => String(i).padStart(width)).join('');
  const rows = confusion.map((row, i) => {
    const cells = row.map((count) => (count === 0 ? '.' : String(count)).padStart(width)).join('');
    return `${names[i]!.padEnd(nameWidth)} ${String(i).padStart(2)} ${cells}`;
  });
  return [header, ...rows].join('\n');
}
