// Downloading one file: places in order, each with retries, bytes to a part that goes on where it broke off, the hash as they
// come, and the file's name only for what is right.

import { WeightsError } from '../errors.ts';
import { checksumError, integrityOf, type ExpectedHash, type Integrity } from './checksum.ts';
import { pause } from './platform.ts';
import { shownUrl, type RemoteReference } from './reference.ts';
import { createSha256, sha256OfText, type Hasher } from './sha256.ts';
import type { Content, Partial } from './store.ts';
import { canContinue, Failure, request, type Answer, type Rest, type Version } from './transfer.ts';

export interface DownloadOptions {
  readonly reference: RemoteReference;
  /** The first is the reference's own. */
  readonly urls: readonly string[];
  readonly tokenFor: (url: string) => string | undefined;
  /** By the caller or the file's name; else `recorded` counts, else what the server announces. */
  readonly expected: ExpectedHash | undefined;
  readonly recorded: ExpectedHash | undefined;
  readonly size: number | undefined;
  readonly maxBytes: number;
  readonly retries: number;
  readonly retryDelay: number;
  readonly stallTimeout: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (
    loaded: number,
    total: number | null,
    phase: 'downloading' | 'checking',
  ) => void;
  /** Throws where the part may not be put in place. */
  readonly beforeCommit: () => Promise<void>;
}

export interface Downloaded {
  readonly content: Content;
  readonly source: string;
  readonly sha256: string;
  readonly integrity: Integrity;
}

/** However small the steps in which a server gets on, one place isn't asked more often than this. */
const MOST_ATTEMPTS = 100;
const LONGEST_WAIT = 60_000;

class Download {
  readonly #partial: Partial;
  readonly #options: DownloadOptions;
  #hasher: Hasher = createSha256();
  /** Whether the bytes came in more than one answer. */
  #joined = false;

  constructor(partial: Partial, options: DownloadOptions) {
    this.#partial = partial;
    this.#options = options;
  }

  /** Takes the bytes of an earlier download into the hash. */
  async continueHash(): Promise<void> {
    const { about, size } = this.#partial;
    if (!about || size === 0) return;
    let loaded = 0;
    for await (const chunk of this.#partial.chunks()) {
      this.#options.signal?.throwIfAborted();
      this.#hasher.update(chunk);
      loaded += chunk.length;
      this.#options.onProgress(loaded, about.total ?? this.#options.size ?? null, 'checking');
    }
  }

  /** What of the file is there already, where that can be of use. */
  #rest(url: string): Rest | undefined {
    const { about, size } = this.#partial;
    if (!about || size === 0) return undefined;
    const hashed = this.#options.expected !== undefined;
    // Only the hash can tell that another place has the same file.
    const here = about.from === sha256OfText(url);
    if (!here && !hashed) return undefined;
    const version = here ? about : { etag: null, lastModified: null, total: about.total };
    const rest = { start: size, version, hashed };
    return canContinue(rest) ? rest : undefined;
  }

  #check(bytes: number, what: string): void {
    const { size, maxBytes } = this.#options;
    if (size !== undefined && bytes > size) {
      throw new Failure('size', `${what} ${bytes} bytes, more than the ${size} expected`);
    }
    if (bytes > maxBytes) {
      throw new Failure(
        'size',
        `${what} ${bytes} bytes, more than the limit of ${maxBytes} (maxBytes)`,
      );
    }
  }

  /** Refuses by the length announced, before a byte has come. */
  #checkAnnounced({ total }: Version): void {
    const { size } = this.#options;
    if (total === null) return;
    this.#check(total, 'has');
    if (size !== undefined && total !== size) {
      throw new Failure('size', `has ${total} bytes, not the ${size} expected`);
    }
  }

  /** Puts the answer's bytes behind those that are there. */
  async #receive(url: string, answer: Answer): Promise<void> {
    const { reference, size, onProgress } = this.#options;
    const { version } = answer;
    const total = version.total ?? size ?? null;
    if (answer.start === 0) {
      this.#hasher = createSha256();
      await this.#partial.restart({
        reference: reference.reference,
        file: reference.file,
        from: sha256OfText(url),
        etag: version.etag,
        lastModified: version.lastModified,
        total: version.total,
      });
    }
    onProgress(answer.start, total, 'downloading');
    for await (const chunk of answer.body) {
      const loaded = this.#partial.size + chunk.length;
      this.#check(loaded, 'sends at least');
      if (version.total !== null && loaded > version.total) {
        throw new Failure('size', `sends more than the ${version.total} bytes it announced`);
      }
      await this.#partial.append(chunk);
      this.#hasher.update(chunk);
      onProgress(loaded, total !== null && loaded > total ? null : total, 'downloading');
    }
    const loaded = this.#partial.size;
    if (total !== null && loaded < total) {
      throw new Failure('network', `ended after ${loaded} of ${total} bytes`, { transient: true });
    }
    if (loaded === 0) throw new Failure('content', 'answered with nothing: 0 bytes');
  }

  /** Compares the hash, and gives the file its name. */
  async #finish(url: string, announced: string | null): Promise<Downloaded> {
    const { expected, recorded, reference, beforeCommit } = this.#options;
    const sha256 = this.#hasher.digest();
    const told: ExpectedHash | undefined =
      announced === null ? undefined : { digits: announced, from: 'server' };
    const known = expected ?? recorded ?? told;
    for (const hash of [known, told]) {
      const wrong = checksumError('what came', sha256, hash);
      if (wrong) throw new Failure('checksum', wrong.message);
    }
    await beforeCommit();
    const source = shownUrl(url);
    const content = await this.#partial.commit({
      reference: reference.reference,
      file: reference.file,
      source,
      sha256,
      size: this.#partial.size,
      downloaded: new Date().toISOString(),
    });
    return { content, source, sha256, integrity: integrityOf(known) };
  }

  async #attempt(url: string): Promise<Downloaded> {
    const { stallTimeout, signal, tokenFor } = this.#options;
    const rest = this.#rest(url);
    const answer = await request(url, rest, { stallTimeout, signal, token: tokenFor(url) });
    try {
      this.#checkAnnounced(answer.version);
    } catch (error) {
      await answer.cancel();
      throw error;
    }
    this.#joined = answer.start > 0;
    try {
      await this.#receive(url, answer);
      return await this.#finish(url, answer.announced);
    } catch (error) {
      if (!(error instanceof Failure) || (error.code !== 'checksum' && error.code !== 'size')) {
        throw error;
      }
      // Bytes that cannot be right are no start for the next attempt.
      const again = this.#joined && error.code === 'checksum';
      if (this.#partial.about) await this.#partial.restart(this.#partial.about);
      this.#hasher = createSha256();
      // Parts that did not fit together: whole, the file may be right.
      if (again) return await this.#attempt(url);
      throw error;
    }
  }

  async #from(url: string): Promise<Downloaded> {
    const { retries, retryDelay, signal } = this.#options;
    let fruitless = 0;
    for (let attempts = 1; ; attempts++) {
      const before = this.#partial.size;
      try {
        return await this.#attempt(url);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof Failure) || !error.transient) throw error;
        fruitless = this.#partial.size > before ? 0 : fruitless + 1;
        if (retries === 0 || fruitless > retries || attempts === MOST_ATTEMPTS) {
          const times = attempts === 1 ? '' : ` (tried ${attempts} times)`;
          throw new Failure(error.code, `${error.message}${times}`, { cause: error });
        }
        // Not all at the same moment.
        const spread = 0.75 + Math.random() / 2;
        const wait = error.retryAfter ?? retryDelay * 2 ** Math.max(0, fruitless - 1) * spread;
        await pause(Math.min(wait, LONGEST_WAIT), signal);
      }
    }
  }

  async run(): Promise<Downloaded> {
    const { reference, urls, signal } = this.#options;
    const failures: { url: string; failure: Error }[] = [];
    for (const url of urls) {
      try {
        return await this.#from(url);
      } catch (error) {
        signal?.throwIfAborted();
        const isProxy = error instanceof WeightsError && error.code === 'network';
        if (!(error instanceof Failure) && !isProxy) throw error;
        failures.push({ url, failure: error });
      }
    }
    const codes = new Set(failures.map(({ failure }) => (failure as Failure).code));
    const told = failures.map(({ url, failure }) => `${shownUrl(url)}: ${failure.message}`);
    const errors = failures.map(({ failure }) => failure);
    throw new WeightsError(
      codes.size === 1 ? [...codes][0]! : 'network',
      `${reference.reference} could not be downloaded: ${told.join('; ')}`,
      { cause: errors.length === 1 ? errors[0] : new AggregateError(errors) },
    );
  }
}

/** Downloads into `partial`, which stays for the next call where that fails halfway. Throws a WeightsError. */
export async function download(partial: Partial, options: DownloadOptions): Promise<Downloaded> {
  const work = new Download(partial, options);
  try {
    await work.continueHash();
    return await work.run();
  } finally {
    await partial.close();
  }
}
