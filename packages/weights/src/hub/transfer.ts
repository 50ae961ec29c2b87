// One HTTP request for a file or the rest of it: redirects, ranges, time-outs, and the answers that are no file. It knows
// neither caches nor retries.

import { WeightsError, type WeightsErrorCode } from '../errors.ts';
import { nodeFetch } from './node-fetch.ts';
import { inNode } from './platform.ts';
import { shownUrl, webUrl } from './reference.ts';

/** Why a place did not give the file. */
export class Failure extends Error {
  readonly code: WeightsErrorCode;
  /** Whether the same place may do better in a moment. */
  readonly transient: boolean;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(
    code: WeightsErrorCode,
    message: string,
    options: { transient?: boolean; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'Failure';
    this.code = code;
    this.transient = options.transient ?? false;
    this.retryAfter = options.retryAfter;
  }
}

/** What tells one state of a file on a server from another. */
export interface Version {
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** Bytes of the whole file. */
  readonly total: number | null;
}

/** The bytes from `start` on of a file that was of this version when they began to come. */
export interface Rest {
  readonly start: number;
  readonly version: Version;
  /** Whether a hash will tell at the end if the parts belong together. */
  readonly hashed: boolean;
}

export interface TransferOptions {
  readonly token: string | undefined;
  /** Without a byte for so long, in milliseconds, the request fails. */
  readonly stallTimeout: number;
  readonly signal: AbortSignal | undefined;
}

export interface Answer {
  /** Where `body` begins: `rest.start`, or 0. */
  readonly start: number;
  readonly version: Version;
  /** The sha256 that Hugging Face's hub tells with its redirect. */
  readonly announced: string | null;
  readonly body: AsyncIterable<Uint8Array>;
  /** Leaves the body alone. */
  cancel(): Promise<void>;
}

const MOST_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Ends a request that stalls or that the user aborts. */
class Watch {
  readonly #controller = new AbortController();
  readonly #timeout: number;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort(this.#signal!.reason);

  constructor({ stallTimeout, signal }: TransferOptions) {
    this.#timeout = stallTimeout;
    this.#signal = signal;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for the network. Throws a Failure, or the user's reason. */
  async during<T>(work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      const seconds = this.#timeout / 1000;
      this.#controller.abort(
        new Failure('network', `nothing came for ${seconds} s`, { transient: true }),
      );
    }, this.#timeout);
    try {
      return await work;
    } catch (error) {
      if (this.signal.aborted) throw this.signal.reason;
      if (error instanceof WeightsError) throw error;
      throw new Failure('network', rootMessage(error), { transient: true, cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.#signal?.removeEventListener('abort', this.#abort);
  }
}

/** `fetch failed` says nothing; its cause does. */
function rootMessage(error: unknown): string {
  let deepest = error as Error & { code?: string };
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  return deepest.message || deepest.code || String(error);
}

function whereRedirected(from: string, response: Response): string {
  const location = response.headers.get('location');
  if (!location) throw new Failure('network', `redirects (${response.status}) to nowhere`);
  let to: string;
  try {
    to = webUrl(location, from);
  } catch (cause) {
    throw new Failure('network', `redirects to what is no place: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (from.startsWith('https:') && to.startsWith('http:')) {
    throw new Failure('network', `redirects from https to http, to ${shownUrl(to)}: refused`);
  }
  return to;
}

/** `"<64 hex digits>"` as the hub's X-Linked-Etag has it for large files. */
const linkedHash = (headers: Headers): string | null =>
  /^"?([0-9a-f]{64})"?$/.exec(headers.get('x-linked-etag') ?? '')?.[1] ?? null;

interface Reply {
  readonly response: Response;
  readonly announced: string | null;
}

/** Follows redirects itself in Node, so that a token stays with its host; browsers do both alone. */
async function send(
  first: string,
  headers: Record<string, string>,
  token: string | undefined,
  watch: Watch,
): Promise<Reply> {
  let url = first;
  let announced: string | null = null;
  let trusted = token;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const sent = trusted ? { ...headers, authorization: `Bearer ${trusted}` } : headers;
    const response = await watch.during(
      inNode()
        ? nodeFetch(url, { headers: sent, signal: watch.signal })
        : // The file goes to our cache; a second copy in the browser's would be waste.
          fetch(url, { headers: sent, cache: 'no-store', signal: watch.signal }),
    );
    if (new URL(url).origin === new URL(first).origin) announced ??= linkedHash(response.headers);
    if (!REDIRECTS.has(response.status)) return { response, announced };
    await response.body?.cancel();
    const next = whereRedirected(url, response);
    if (new URL(next).origin !== new URL(url).origin) trusted = undefined;
    url = next;
  }
  throw new Failure('network', `redirects more than ${MOST_REDIRECTS} times`);
}

function statusFailure({ status, statusText, headers }: Response, hadToken: boolean): Failure {
  const said = `answered ${status}${statusText ? ` ${statusText}` : ''}`;
  if (status === 401 || status === 403) {
    const hint = hadToken
      ? "the token given isn't enough"
      : "give a token by the option 'token' or HF_TOKEN";
    return new Failure('network', `${said}; ${hint}`);
  }
  const transient = status === 408 || status === 425 || status === 429 || status >= 500;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const retryAfter = seconds >= 0 ? seconds * 1000 : undefined;
  return new Failure('network', said, { transient, retryAfter });
}

/** A length in a header; null where there is none or it is no number. */
function lengthOf(text: string | null | undefined): number | null {
  return text && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The version that an answer is of. */
function versionOf({ status, headers }: Response, start: number): Version {
  const encoding = headers.get('content-encoding');
  const plain = encoding === null || encoding === 'identity';
  const length = plain ? lengthOf(headers.get('content-length')) : null;
  const range = /^bytes \d+-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '');
  const whole = status === 206 ? lengthOf(range?.[1]) : null;
  const total = whole ?? (length === null ? null : length + start);
  // Ranges would be of the packed bytes.
  if (!plain) return { total: null, etag: null, lastModified: null };
  return { total, etag: headers.get('etag'), lastModified: headers.get('last-modified') };
}

/** A weak ETag tells nothing about bytes. */
const strongTag = ({ etag }: Version): string | null =>
  etag === null || etag.startsWith('W/') ? null : etag;

/** Whether a part can ever be asked for that surely belongs to what is there. */
export const canContinue = ({ version, hashed }: Rest): boolean =>
  hashed || strongTag(version) !== null || version.lastModified !== null;

/** Whether a partial answer continues what is there. */
function continues(response: Response, rest: Rest, asked: boolean): boolean {
  const { version: was, start, hashed } = rest;
  const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  const is = versionOf(response, start);
  if (range ? Number(range[1]) !== start : was.total === null) return false;
  if (was.total !== null && is.total !== was.total) return false;
  const [tagWas, tagIs] = [strongTag(was), strongTag(is)];
  if (tagWas !== null && tagIs !== null) return tagWas === tagIs;
  if (hashed) return true;
  if (tagWas !== null) return false;
  return is.lastModified === null ? asked : is.lastModified === was.lastModified;
}

/** Headers that ask for the rest. Pages may not send If-Range to other origins without asking those first. */
function rangeHeaders(url: string, { start, version }: Rest): Record<string, string> {
  const range = { range: `bytes=${start}-` };
  const here = (globalThis as { location?: { origin: string } }).location?.origin;
  const validator = strongTag(version) ?? version.lastModified;
  const mayAsk = inNode() || new URL(url).origin === here;
  return validator !== null && mayAsk ? { ...range, 'if-range': validator } : range;
}

const HTML = /^\s*<(!doctype\s+html|html|head|body|\?xml|!--)/i;
const POINTER = /^version https:\/\/git-lfs/;

/** Throws a Failure (`content`) where the first bytes are those of a page or of a Git LFS pointer. */
function refuseText(bytes: Uint8Array): void {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 512));
  if (HTML.test(text))
    throw new Failure('content', 'answered with a page (HTML or XML), not a file');
  if (POINTER.test(text)) {
    throw new Failure('content', 'has a Git LFS pointer there, not the file it points to');
  }
}

async function* read(
  response: Response,
  watch: Watch,
  atStart: boolean,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  let first = atStart;
  try {
    for (;;) {
      if (!reader) return;
      const { done, value } = await watch.during(reader.read());
      if (done) return;
      if (first) refuseText(value);
      first = false;
      yield value;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
    watch.end();
  }
}

/**
 * Asks for a file, or for the rest of it where `rest` is given: the answer begins at 0 where the server does not continue that
 * very file. Throws a Failure, or the signal's reason.
 */
export async function request(
  url: string,
  rest: Rest | undefined,
  options: TransferOptions,
): Promise<Answer> {
  const watch = new Watch(options);
  let begun = false;
  try {
    // Compressed lengths could not be compared with anything. Browsers choose for themselves.
    const plain: Record<string, string> = inNode() ? { 'accept-encoding': 'identity' } : {};
    const range = rest ? rangeHeaders(url, rest) : {};
    let reply = await send(url, { ...plain, ...range }, options.token, watch).catch(
      (error: unknown) => {
        // A page may be forbidden to ask another origin for ranges; that looks like a broken connection.
        const forbidden = rest && !inNode() && !watch.signal.aborted && error instanceof Failure;
        if (!forbidden) throw error;
        return send(url, plain, options.token, watch);
      },
    );
    let start = 0;
    if (rest) {
      const { response } = reply;
      if (response.status === 206 && continues(response, rest, 'if-range' in range)) {
        start = rest.start;
      } else if (response.status === 206 || response.status === 416) {
        await response.body?.cancel();
        reply = await send(url, plain, options.token, watch);
      }
    }
    const { response, announced } = reply;
    const type = response.headers.get('content-type') ?? '';
    if (response.status !== 200 && !(response.status === 206 && start > 0)) {
      await response.body?.cancel();
      throw statusFailure(response, options.token !== undefined);
    }
    if (/^(text\/html|application\/xhtml)/i.test(type)) {
      await response.body?.cancel();
      throw new Failure('content', `answered with a page (${type}), not a file`);
    }
    const body = read(response, watch, start === 0);
    begun = true;
    const cancel = async (): Promise<void> => {
      watch.end();
      await response.body?.cancel();
    };
    return { start, version: versionOf(response, start), announced, body, cancel };
  } finally {
    if (!begun) watch.end();
  }
}
