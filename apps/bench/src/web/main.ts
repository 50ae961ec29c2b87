// The page: reads the settings from the address and the form, runs a session, shows what it tells.

import { suites } from '../suites/index.ts';
import { caseSection, element } from './chart.ts';
import { backendCandidates, peerCandidates, type Candidate } from './contenders.ts';
import { browserMachine, machineFacts } from './machine.ts';
import { runSession, type PageEvent, type SessionResults } from './session.ts';
import {
  pageBackends,
  pagePeers,
  searchOf,
  settingsOf,
  type Choices,
  type Settings,
} from './settings.ts';
import { setUpSwap } from './swap-view.ts';

declare global {
  // Put there by whoever drives the page from outside.
  var benchEvent: ((event: PageEvent) => unknown) | undefined;
}

const choices: Choices = {
  suites: Object.keys(suites),
  backends: pageBackends,
  peers: pagePeers,
  threads: Math.min(8, navigator.hardwareConcurrency),
};

const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const field = (id: string): HTMLInputElement => byId(id);

const form = byId<HTMLFormElement>('settings');
const buttons = {
  run: byId<HTMLButtonElement>('run'),
  cancel: byId<HTMLButtonElement>('cancel'),
  download: byId<HTMLButtonElement>('download'),
};
const status = byId('status');
const progress = byId<HTMLProgressElement>('progress');
const results = byId('results');

function say(text: string, failed = false): void {
  status.textContent = text;
  status.className = failed ? 'failed' : '';
}

function checkbox(
  group: string,
  { name, available, detail }: Candidate,
  checked: boolean,
): HTMLElement {
  const box = element('input', { type: 'checkbox', name: group, value: name });
  box.checked = available && checked;
  box.disabled = !available;
  return element('label', {}, box, element('span', {}, name), element('small', {}, detail));
}

const checked = (group: string): string[] =>
  [...form.querySelectorAll<HTMLInputElement>(`input[name="${group}"]:checked`)].map(
    ({ value }) => value,
  );

/** What the form says now. */
function readForm(): Settings {
  const { threads, runs } = { threads: field('threads').value, runs: field('runs').value };
  const given = settingsOf(`?${new URLSearchParams({ threads, runs }).toString()}`, choices);
  return {
    ...given,
    suite: field('suite').value,
    only: field('only').value.trim(),
    backends: checked('backends'),
    peers: checked('peers'),
    precision: field('precision').value === 'strict' ? 'strict' : 'fast',
  };
}

async function fillForm(settings: Settings): Promise<void> {
  for (const name of choices.suites) byId('suite').append(element('option', { value: name }, name));
  field('suite').value = settings.suite;
  field('only').value = settings.only;
  field('threads').value = String(settings.threads);
  field('precision').value = settings.precision;
  field('runs').value = String(settings.runs);
  const groups = [
    ['backends', await backendCandidates(), settings.backends],
    ['peers', await peerCandidates(), settings.peers],
  ] as const;
  for (const [group, candidates, wanted] of groups) {
    const boxes = candidates.map((candidate) =>
      checkbox(group, candidate, wanted.includes(candidate.name)),
    );
    byId(group).append(...boxes);
  }
}

let running: AbortController | null = null;
let last: SessionResults | null = null;

/** Puts a case's section in the place of the one that is there. */
function show(name: string, section: HTMLElement): void {
  const before = results.querySelector(`[data-case="${CSS.escape(name)}"]`);
  if (before) before.replaceWith(section);
  else results.append(section);
}

async function measure(settings: Settings): Promise<void> {
  running = new AbortController();
  last = null;
  buttons.run.disabled = buttons.download.disabled = true;
  buttons.cancel.disabled = false;
  results.replaceChildren();
  progress.value = 0;
  history.replaceState(null, '', searchOf(settings));
  try {
    last = await runSession(
      settings,
      {
        say(text) {
          say(text);
          void globalThis.benchEvent?.({ kind: 'say', text });
        },
        begin(name, done, total) {
          progress.max = total;
          progress.value = done;
          say(`Case ${done + 1} of ${total}: ${name}`);
        },
        turn: (measured) => show(measured.name, caseSection(measured, settings.backends)),
        end(measured) {
          show(measured.name, caseSection(measured, settings.backends));
          progress.value += 1;
          void globalThis.benchEvent?.({ kind: 'case', measured });
        },
      },
      running.signal,
    );
    say('Done. Contenders took turns; compare figures of one run only.');
    buttons.download.disabled = false;
    void globalThis.benchEvent?.({ kind: 'done', results: last });
  } catch (error) {
    const cancelled = running.signal.aborted;
    const { message } = error as Error;
    say(cancelled ? 'Cancelled. The last case may be incomplete.' : message, !cancelled);
    void globalThis.benchEvent?.({ kind: 'failed', message });
  } finally {
    running = null;
    buttons.run.disabled = false;
    buttons.cancel.disabled = true;
  }
}

function download(): void {
  if (!last) return;
  const url = URL.createObjectURL(
    new Blob([JSON.stringify(last, null, 1)], { type: 'application/json' }),
  );
  const link = element('a', { href: url, download: 'convoke-bench.json' });
  link.click();
  URL.revokeObjectURL(url);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!running) void measure(readForm());
});
form.addEventListener('change', () => history.replaceState(null, '', searchOf(readForm())));
buttons.cancel.addEventListener('click', () => running?.abort(new Error('cancelled')));
buttons.download.addEventListener('click', download);
setUpSwap(readForm, (step) => void globalThis.benchEvent?.({ kind: 'step', step }));

byId('machine').textContent = machineFacts(await browserMachine()).join(' · ');
await fillForm(settingsOf(location.search, choices));
// An address with `run` measures at once.
if (new URLSearchParams(location.search).has('run')) void measure(readForm());
