// A training run as one HTML file that needs nothing else: curves as SVG, the confusion matrix, figures.

import type { EpochRecord } from './callbacks.ts';

export interface ReportOptions {
  readonly title: string;
  readonly history: readonly EpochRecord[];
  /** Names and values for the table of figures, in order. */
  readonly figures?: readonly (readonly [name: string, value: string | number])[];
  /** `confusion[actual][predicted]`. */
  readonly confusion?: readonly (readonly number[])[];
  readonly labels?: readonly string[];
}

interface Curve {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly style: 'training' | 'validation';
}

const WIDTH = 560;
const HEIGHT = 260;
const MARGIN = { left: 56, right: 12, top: 12, bottom: 36 };

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Three to six round numbers that span `low` to `high`. */
function ticks(low: number, high: number): number[] {
  const span = high - low || 1;
  const magnitude = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((size) => span / size <= 5)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

function chart(title: string, curves: readonly Curve[]): string {
  const shown = curves.filter(({ values }) =>
    values.some((value) => value !== null && Number.isFinite(value)),
  );
  const all = shown
    .flatMap(({ values }) => values)
    .filter((value) => value !== null && Number.isFinite(value)) as number[];
  if (all.length === 0) return '';
  const low = Math.min(0, ...all);
  const high = Math.max(...all, low + 1e-9);
  const length = Math.max(...shown.map(({ values }) => values.length));
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const x = (i: number): number =>
    MARGIN.left + ((right - MARGIN.left) * i) / Math.max(1, length - 1);
  const y = (value: number): number =>
    bottom - ((bottom - MARGIN.top) * (value - low)) / (high - low);
  const grid = ticks(low, high).map(
    (tick) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
      `<text x="${MARGIN.left - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tick}</text>`,
  );
  const epochs = ticks(1, Math.max(2, length))
    .filter((tick) => Number.isInteger(tick) && tick <= length)
    .map(
      (tick) =>
        `<text x="${x(tick - 1).toFixed(1)}" y="${bottom + 18}" text-anchor="middle">${tick}</text>`,
    );
  const lines = shown.map(({ values, style, name }) => {
    const points = values.flatMap((value, i) =>
      value === null || !Number.isFinite(value)
        ? []
        : [`${x(i).toFixed(1)},${y(value).toFixed(1)}`],
    );
    const [only] = points;
    const mark =
      points.length === 1 && only
        ? `<circle class="${style}" cx="${only.split(',')[0]}" cy="${only.split(',')[1]}" r="3"/>`
        : '';
    return `<polyline class="${style}" points="${points.join(' ')}"><title>${escapeHtml(name)}</title></polyline>${mark}`;
  });
  const legend = shown
    .map(({ name, style }) => `<span class="key ${style}">${escapeHtml(name)}</span>`)
    .join(' ');
  return `<figure><figcaption>${escapeHtml(title)} ${legend}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)} by epoch">
${grid.join('')}${epochs.join('')}<text x="${right}" y="${HEIGHT - 2}" text-anchor="end">epoch</text>${lines.join('')}
</svg></figure>`;
}

function confusionTable(
  confusion: readonly (readonly number[])[],
  labels: readonly string[],
): string {
  const name = (i: number): string => escapeHtml(labels[i] ?? String(i));
  const header = confusion.map((_, i) => `<th scope="col">${name(i)}</th>`).join('');
  const rows = confusion.map((row, i) => {
    const total = row.reduce((a, b) => a + b, 0) || 1;
    const cells = row.map((count, j) => {
      const hue = i === j ? '46, 125, 50' : '198, 40, 40';
      return `<td style="background: rgba(${hue}, ${(count / total).toFixed(2)})">${count || ''}</td>`;
    });
    return `<tr><th scope="row">${name(i)}</th>${cells.join('')}</tr>`;
  });
  return `<h2>Confusion matrix</h2><p>Rows: actual class. Columns: predicted class.</p>
<div class="wide"><table class="confusion"><thead><tr><td></td>${header}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

const percent = (share: number | null): string =>
  share === null ? '–' : `${(100 * share).toFixed(1)} %`;

function historyTable(history: readonly EpochRecord[]): string {
  const rows = history.map((record) => {
    const cells = [
      record.epoch + 1,
      record.loss.toFixed(4),
      percent(record.accuracy),
      record.validationLoss?.toFixed(4) ?? '–',
      percent(record.validationAccuracy),
      record.learningRate.toPrecision(3),
      record.seconds.toFixed(2),
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const names = [
    'epoch',
    'loss',
    'accuracy',
    'validation loss',
    'validation accuracy',
    'learning rate',
    'seconds',
  ];
  return `<details><summary>Every epoch</summary><table><thead><tr>${names.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></details>`;
}

const style = `
:root { color-scheme: light dark; --training: #1565c0; --validation: #ef6c00; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; flex: 1 1 24rem; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; } .grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; } polyline.training { stroke: var(--training); } polyline.validation { stroke: var(--validation); }
circle.training { fill: var(--training); } circle.validation { fill: var(--validation); }
.key { font-size: 13px; margin-left: .8em; } .key.training { color: var(--training); } .key.validation { color: var(--validation); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } td, th { padding: .2em .6em; text-align: right; border: 1px solid var(--line); }
.wide { overflow-x: auto; } .confusion th, .confusion td { font-size: 12px; }`;

/** The report as HTML text. */
export function renderReport(options: ReportOptions): string {
  const { title, history, figures = [], confusion = [], labels = [] } = options;
  const column = (
    key: 'loss' | 'accuracy' | 'validationLoss' | 'validationAccuracy' | 'learningRate',
  ): (number | null)[] => history.map((record) => record[key]);
  const charts = [
    chart('Loss', [
      { name: 'training', values: column('loss'), style: 'training' },
      { name: 'validation', values: column('validationLoss'), style: 'validation' },
    ]),
    chart('Accuracy', [
      { name: 'training', values: column('accuracy'), style: 'training' },
      { name: 'validation', values: column('validationAccuracy'), style: 'validation' },
    ]),
    chart('Learning rate', [
      { name: 'last step of the epoch', values: column('learningRate'), style: 'training' },
    ]),
  ];
  const figureRows = figures.map(
    ([name, value]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(String(value))}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title><style>${style}</style></head><body>
<h1>${escapeHtml(title)}</h1>
${figureRows.length > 0 ? `<table>${figureRows.join('')}</table>` : ''}
<div class="charts">${charts.join('\n')}</div>
${confusion.length > 0 ? confusionTable(confusion, labels) : ''}
${history.length > 0 ? historyTable(history) : ''}
</body></html>
`;
}
