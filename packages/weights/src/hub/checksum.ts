// What a file's hash has to be: as given, as its name says (torchvision's convention), or as its server announced.

import { WeightsError } from '../errors.ts';

/** How a file's bytes were found to be right; see `FetchedWeights.integrity`. */
export type Integrity = 'sha256' | 'prefix' | 'announced' | 'recorded' | 'first' | 'unchecked';

/** The digits that the hash begins with, and who says so. */
export interface ExpectedHash {
  readonly digits: string;
  readonly from: 'option' | 'name' | 'server' | 'record';
}

/** Eight digits that are a day of this or the last century: a version, not a hash. */
function isDate(digits: string): boolean {
  const parts = /^(19|20)\d\d(\d\d)(\d\d)$/.exec(digits);
  if (!parts) return false;
  const [month, day] = [Number(parts[2]), Number(parts[3])];
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/** `resnet18-f37072fd.pth`: 8 or more hex digits between a hyphen and a dot. */
export function hashInName(file: string): string | undefined {
  const digits = /-([0-9a-f]{8,64})\./.exec(file)?.[1];
  return digits === undefined || isDate(digits) ? undefined : digits;
}

/** The hash that a file is to have, if anything says so. Throws a WeightsError (`reference`) for a malformed option. */
export function expectedHash(
  file: string,
  options: { readonly sha256?: string | undefined; readonly hashFromName?: boolean | undefined },
): ExpectedHash | undefined {
  if (options.sha256 !== undefined) {
    const digits = options.sha256.toLowerCase();
    if (!/^[0-9a-f]{8,64}$/.test(digits)) {
      throw new WeightsError(
        'reference',
        `the option sha256 is '${options.sha256}'; expected 64 hex digits, or the first 8 or more of them`,
      );
    }
    return { digits, from: 'option' };
  }
  const digits = options.hashFromName === false ? undefined : hashInName(file);
  return digits === undefined ? undefined : { digits, from: 'name' };
}

/** What the match of a hash is worth. */
export function integrityOf(expected: ExpectedHash | undefined): Integrity {
  if (!expected) return 'first';
  if (expected.from === 'server') return 'announced';
  if (expected.from === 'record') return 'recorded';
  return expected.digits.length === 64 ? 'sha256' : 'prefix';
}

const SAYS = {
  option: 'the option sha256 says',
  name: "the file's name says",
  server: 'the server announced',
  record: 'was recorded at its first download',
} as const;

const NEXT = {
  option: '',
  name: '; where the name is wrong, give the option sha256, or hashFromName: false',
  server: '',
  record:
    '; the file has changed since: if that is right, remove it from the cache (clearCache(reference)) and fetch it again',
} as const;

/** A WeightsError (`checksum`) where `sha256` does not begin with the digits. */
export function checksumError(
  what: string,
  sha256: string,
  expected: ExpectedHash | undefined,
): WeightsError | undefined {
  if (!expected || sha256.startsWith(expected.digits)) return undefined;
  const more = expected.digits.length < 64 ? '…' : '';
  return new WeightsError(
    'checksum',
    `${what} has the sha256 ${sha256}, not ${expected.digits}${more} as ${SAYS[expected.from]}${NEXT[expected.from]}`,
  );
}
