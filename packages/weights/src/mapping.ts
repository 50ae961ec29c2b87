// A file's tensors under a model's names and in its layout, with a report of what went where.

import { WeightsError } from './errors.ts';
import {
  planMapping,
  type MapReport,
  type NamedShape,
  type NamePatterns,
  type PlanOptions,
} from './mapping/plan.ts';
import type { HostTensor } from './tensors.ts';
import { listed, WeightsFile, type WeightsLayout } from './weights-file.ts';

export interface MapOptions extends PlanOptions {
  /** Throw where something is missing, unexpected or of another shape. Default true. */
  readonly strict?: boolean | undefined;
  /** The model's names that may be missing, in strict mode too. They stay in the report. */
  readonly allowMissing?: NamePatterns | undefined;
  /** The file's names that may be there, in strict mode too. They stay in the report. */
  readonly allowUnexpected?: NamePatterns | undefined;
  /** What errors call the file. Default: its own name. */
  readonly file?: string | undefined;
}

/** Tensors that have been read, with what is known of their file. */
export interface MappableContent {
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly file?: string | undefined;
  readonly layout?: WeightsLayout | undefined;
}

export interface MappedWeights {
  /** By the model's names, in the model's order. */
  readonly tensors: Map<string, HostTensor>;
  readonly report: MapReport;
}

function matches(name: string, patterns: NamePatterns): boolean {
  return patterns.some((pattern) => {
    if (typeof pattern !== 'string') return pattern.test(name);
    return pattern.endsWith('.') ? name.startsWith(pattern) : name === pattern;
  });
}

/** How many names an error lists. */
const MOST = 12;

function counted(label: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > MOST ? ', …' : '';
  return [`${label} (${names.length}): ${names.slice(0, MOST).join(', ')}${more}`];
}

function complaints(
  { missing, unexpected, mismatched }: MapReport,
  { allowMissing = [], allowUnexpected = [] }: MapOptions,
): string[] {
  const lacking = missing.filter((name) => !matches(name, allowMissing));
  const surplus = unexpected.filter((name) => !matches(name, allowUnexpected));
  const shapes = mismatched.slice(0, MOST).map(({ name, expected, from, found }) => {
    const own = from === name ? '' : ` (in the file '${from}')`;
    return `'${name}'${own} should be [${expected.join(', ')}], the file has [${found.join(', ')}]`;
  });
  return [...counted('missing', lacking), ...counted('unexpected', surplus), ...shapes];
}

/**
 * The tensors of a file (opened, read, or plain named tensors) for a model that has tensors of these names and shapes. Equal
 * names go first; then wrappers (`module.`, `model.`, `_orig_mod.`) are taken off, Keras' names and layouts turned into PyTorch's,
 * `linear` is tried for `fc`, and BatchNorms are folded or unfolded where one side has them and the other not. From an opened
 * file only what is used is read. Throws a WeightsError (`names`) in strict mode that lists what does not fit.
 */
export async function mapWeights(
  from: WeightsFile | MappableContent | ReadonlyMap<string, HostTensor>,
  model: Iterable<NamedShape>,
  options: MapOptions = {},
): Promise<MappedWeights> {
  const lazy = from instanceof WeightsFile;
  const content: MappableContent =
    lazy || !(from instanceof Map) ? (from as MappableContent) : { tensors: from };
  const entries = lazy ? from.entries : content.tensors;
  const { strict = true, file = content.file ?? 'the weights' } = options;
  const { steps, report } = planMapping(
    [...entries].map(([name, { shape }]) => [name, shape] as const),
    model,
    { ...options, fileLayout: content.layout },
  );
  if (strict) {
    const lines = complaints(report, options);
    if (lines.length > 0) {
      throw new WeightsError(
        'names',
        `${file} does not fit the model:\n  ${lines.join('\n  ')}\nIt has ${listed([...entries.keys()], 4)}. Map names by \`rename\`, or load what fits with strict: false`,
      );
    }
  }
  const tensors = new Map<string, HostTensor>();
  for (const step of steps) {
    const parts: HostTensor[] = [];
    for (const name of step.from) {
      parts.push(lazy ? await from.read(name) : content.tensors.get(name)!);
    }
    tensors.set(step.name, step.make(parts));
  }
  return { tensors, report };
}

/** A report in a few lines for people; empty lists are left out. */
export function formatMapReport(report: MapReport): string {
  const lines = [`${report.loaded.length} loaded`];
  const add = (label: string, names: readonly string[]): void => {
    if (names.length > 0) lines.push(`${names.length} ${label}: ${listed(names, 6)}`);
  };
  add('missing', report.missing);
  add('unexpected', report.unexpected);
  add(
    'of another shape',
    report.mismatched.map(({ name }) => name),
  );
  add('transposed', report.transposed);
  add('reshaped', report.reshaped);
  add(
    'renamed',
    report.renamed.map(({ from: own, to }) => `${own} -> ${to}`),
  );
  add('with a BatchNorm folded in', report.folded);
  add('BatchNorms unfolded', report.unfolded);
  add('filled in', report.defaulted);
  return lines.join('\n');
}
