// The section of the page that swaps backends under a training: buttons, the curve of the loss, where it moved.

import { startBackend } from './contenders.ts';
import type { Settings } from './settings.ts';
import { loadIdx, trainAndSwap, type SwapStep } from './swap.ts';

const images = new URL(
  '../../../cli/data/fashion-mnist/train-images-idx3-ubyte.gz',
  import.meta.url,
);
const labels = new URL(
  '../../../cli/data/fashion-mnist/train-labels-idx1-ubyte.gz',
  import.meta.url,
);

const MOST_STEPS = 500;
const HEIGHT = 260;
const MARGIN = 34;

function svg(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function label(text: string, x: number, y: number): SVGElement {
  const made = svg('text', { x, y });
  made.textContent = text;
  return made;
}

/** The loss of each step, `width` pixels wide, with a line where the training moved and the backend's name above its part. */
function curve(steps: readonly SwapStep[], total: number, width: number): SVGElement {
  const highest = Math.max(2.5, ...steps.map(({ loss }) => loss));
  const x = (step: number): number => MARGIN + ((width - MARGIN) * (step - 1)) / total;
  const y = (loss: number): number => HEIGHT - MARGIN - ((HEIGHT - 2 * MARGIN) * loss) / highest;
  const last = steps.at(-1);
  const drawn = svg('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img' });
  drawn.setAttribute(
    'aria-label',
    last
      ? `Loss from ${steps[0]!.loss.toFixed(2)} to ${last.loss.toFixed(2)} over ${last.step} steps`
      : 'Loss',
  );
  for (const [i, { step, backend }] of steps.entries()) {
    if (i > 0 && steps[i - 1]!.backend === backend) continue;
    drawn.append(
      svg('line', { class: 'seam', x1: x(step), x2: x(step), y1: MARGIN / 2, y2: HEIGHT - MARGIN }),
      label(backend, x(step) + 4, MARGIN / 2 + 6),
    );
  }
  const points = steps.map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
  drawn.append(
    svg('polyline', { class: 'line', points: points.join(' ') }),
    label('loss', 0, y(highest) + 4),
    label('0', 18, y(0) + 4),
    label(`${total} steps`, width - 60, HEIGHT - 10),
  );
  return drawn;
}

const byId = (id: string): HTMLElement => document.getElementById(id)!;

/** js, the other backends that are chosen, and back to js. */
function journey({ backends }: Settings): string[] {
  return ['js', ...backends.filter((name) => name !== 'js'), 'js'];
}

/** Wires the section's buttons; `onStep` hears of every step. */
export function setUpSwap(settings: () => Settings, onStep: (step: SwapStep) => void): void {
  const start = byId('swap-start') as HTMLButtonElement;
  const stop = byId('swap-stop') as HTMLButtonElement;
  const count = byId('swap-steps') as HTMLInputElement;
  const status = byId('swap-status');
  const chart = byId('swap-chart');
  let running: AbortController | null = null;
  stop.addEventListener('click', () => running?.abort());
  start.addEventListener('click', async () => {
    running = new AbortController();
    const { signal } = running;
    start.disabled = true;
    stop.disabled = false;
    status.className = '';
    status.textContent = 'Loading the images…';
    const steps: SwapStep[] = [];
    try {
      const data = await loadIdx(images.href, labels.href);
      const names = journey(settings());
      const stepsEach = Math.min(MOST_STEPS, Math.max(1, Math.floor(count.valueAsNumber) || 1));
      const backends = [];
      for (const name of names) backends.push(await startBackend(name, settings()));
      const total = stepsEach * names.length;
      await trainAndSwap({
        data,
        backends,
        stepsEach,
        signal,
        onStep(step) {
          steps.push(step);
          status.textContent = `Step ${step.step} of ${total} on ${step.backend}: loss ${step.loss.toFixed(3)}`;
          chart.replaceChildren(curve(steps, total, chart.clientWidth));
          onStep(step);
        },
      });
      status.textContent = `${total} steps on ${names.join(' → ')}: loss ${steps[0]!.loss.toFixed(3)} to ${steps.at(-1)!.loss.toFixed(3)}`;
    } catch (error) {
      status.textContent = signal.aborted
        ? `Stopped after ${steps.length} steps.`
        : (error as Error).message;
      if (!signal.aborted) status.className = 'failed';
    } finally {
      start.disabled = false;
      stop.disabled = true;
      running = null;
    }
  });
}
