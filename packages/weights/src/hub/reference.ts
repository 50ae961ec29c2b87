// What a reference names: a file on some host with its place in the cache, a local file, or bytes in memory. No file is touched
// and nothing is fetched here.

import { WeightsError } from '../errors.ts';
import { inNode, nodeModule, variable } from './platform.ts';
import { sha256OfText } from './sha256.ts';

const DEFAULT_ENDPOINT = 'https://huggingface.co';
const DEFAULT_FILE = 'model.safetensors';

export interface RemoteReference {
  readonly kind: 'remote';
  /** What it is known by, whichever host serves it, without what may be secret in a query. */
  readonly reference: string;
  /** The file's name, safe on every file system. */
  readonly file: string;
  /** The name of its folder in the cache: readable, and no two references share one. */
  readonly slug: string;
  readonly url: string;
  /** The origin that HF_TOKEN is meant for. */
  readonly endpointOrigin: string;
}

interface LocalReference {
  readonly kind: 'local';
  readonly path: string;
}

/** A `data:` or `blob:` URL. */
interface MemoryReference {
  readonly kind: 'memory';
  readonly url: string;
}

export type Reference = RemoteReference | LocalReference | MemoryReference;

/** A URL as messages and records show it: a query may hold a signature or a token. */
export function shownUrl(url: string): string {
  const { protocol, origin, pathname, search } = new URL(url);
  if (protocol === 'data:') return 'data:…';
  return `${origin}${pathname}${search ? '?…' : ''}`;
}

const wrong = (given: string, why: string): WeightsError =>
  new WeightsError('reference', `'${given}' ${why}`);

/** `http:` or `https:`, without a user and a fragment. */
export function webUrl(given: string, base?: string): string {
  let url: URL;
  try {
    url = new URL(given, base);
  } catch {
    throw wrong(given, 'is not a URL');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw wrong(given, `has the scheme ${url.protocol} where https: or http: is expected`);
  }
  if (url.username || url.password) {
    throw new WeightsError(
      'reference',
      `the URL ${shownUrl(given)} has a user or password in it; give a token by the option 'token' instead`,
    );
  }
  url.hash = '';
  return url.href;
}

/** A name that no file system reads as anything but a name: no separators, no dots in front, nothing reserved. */
function safeName(name: string, most = 100): string {
  let safe = name.replace(/[^A-Za-z0-9._+=@-]/g, '_').replace(/^[.]+/, '_');
  if (safe.length > most) {
    // The ending tells the format.
    const ending = /\.[A-Za-z0-9]{1,12}$/.exec(safe)?.[0] ?? '';
    safe = safe.slice(0, most - ending.length) + ending;
  }
  safe = safe.replace(/\.+$/, '_');
  return /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(safe) ? `_${safe}` : safe || 'file';
}

/** The folder's name of what `key` identifies. */
const slugOf = (label: string, key: string): string =>
  `${safeName(label, 60).toLowerCase()}-${sha256OfText(key).slice(0, 16)}`;

/** The folders of the cache that are ours. */
export const isSlug = (name: string): boolean => /-[0-9a-f]{16}$/.test(name);

function decoded(text: string, given: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(given, 'has a % that begins no character');
  }
}

/** The last part of a URL's path. */
export function fileNameOf(url: string): string {
  const last = new URL(url).pathname.split('/').findLast(Boolean) ?? '';
  try {
    return safeName(decodeURIComponent(last));
  } catch {
    return safeName(last);
  }
}

const HF = /^hf:([^/@]+)\/([^/@]+)(?:@([^/]+))?(?:\/(.*))?$/s;

function hubReference(given: string, endpoint: string): RemoteReference {
  const parts = HF.exec(given);
  const expected = 'expected hf:owner/name, hf:owner/name@revision or hf:owner/name/file';
  if (!parts) throw wrong(given, `is no reference to a hub: ${expected}`);
  const [, owner = '', name = '', revision = 'main', file = DEFAULT_FILE] = parts;
  for (const part of [owner, name]) {
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part)) {
      throw wrong(given, `has '${part}' where an owner or name is expected: ${expected}`);
    }
  }
  const tag = decoded(revision, given);
  const segments = file.split('/').map((segment) => decoded(segment, given));
  const unsafe = [...tag.split('/'), ...segments].find(
    (segment) => segment === '' || /^\.\.?$/.test(segment) || /[\\/\p{Cc}]/u.test(segment),
  );
  if (unsafe !== undefined) {
    throw wrong(given, `has '${unsafe}' as a part of its revision or file, which names nothing`);
  }
  const path = segments.map(encodeURIComponent).join('/');
  const reference = `hf:${owner}/${name}@${encodeURIComponent(tag)}/${path}`;
  return {
    kind: 'remote',
    reference,
    file: safeName(segments.at(-1)!),
    slug: slugOf(`${owner}-${name}`, reference),
    url: `${endpoint}/${owner}/${name}/resolve/${encodeURIComponent(tag)}/${path}`,
    endpointOrigin: new URL(endpoint).origin,
  };
}

function localPath(given: string): string {
  const path = nodeModule('node:path');
  if (!given.startsWith('file:')) return path.resolve(given);
  try {
    return nodeModule('node:url').fileURLToPath(given);
  } catch (cause) {
    throw new WeightsError(
      'reference',
      `'${given}' is no file's URL: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/** Throws a WeightsError (`reference`) that says what is wrong with it. */
export function parseReference(given: string, endpointOption?: string): Reference {
  if (typeof given !== 'string' || given.trim() === '' || given.includes('\0')) {
    throw new WeightsError(
      'reference',
      `the reference is ${typeof given === 'string' ? 'empty or has a NUL in it' : `a ${typeof given}`}; expected a URL, hf:owner/name or, in Node, a path`,
    );
  }
  const endpoint = webUrl(endpointOption ?? variable('HF_ENDPOINT') ?? DEFAULT_ENDPOINT).replace(
    /\/+$/,
    '',
  );
  if (given.startsWith('hf:')) return hubReference(given, endpoint);
  // A single letter is a Windows drive.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(given)?.[1]?.toLowerCase();
  if (scheme === 'data' || scheme === 'blob') return { kind: 'memory', url: given };
  if (inNode() && (scheme === undefined || scheme === 'file')) {
    return { kind: 'local', path: localPath(given) };
  }
  const base = (globalThis as { location?: { href: string } }).location?.href;
  const url = webUrl(given, scheme === undefined ? base : undefined);
  return {
    kind: 'remote',
    reference: shownUrl(url),
    file: fileNameOf(url),
    slug: slugOf(new URL(url).hostname, url),
    url,
    endpointOrigin: new URL(endpoint).origin,
  };
}

/** The URL of a mirror: of the file itself, or of the folder that has it. */
export function mirrorUrl(mirror: string, file: string): string {
  const url = new URL(webUrl(mirror));
  if (url.pathname.endsWith('/')) url.pathname += encodeURIComponent(file);
  return url.href;
}
