import { resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { isSlug, mirrorUrl, parseReference, shownUrl } from '../../src/hub/reference.ts';

afterEach(() => vi.unstubAllEnvs());

const remote = (given: string, endpoint?: string) => {
  const parsed = parseReference(given, endpoint);
  if (parsed.kind !== 'remote') throw new Error(`${given} is ${parsed.kind}`);
  return parsed;
};

describe('parseReference', () => {
  it.each([
    ['hf:timm/resnet18.a1_in1k', 'timm/resnet18.a1_in1k/resolve/main/model.safetensors'],
    ['hf:o/n@v1.0', 'o/n/resolve/v1.0/model.safetensors'],
    ['hf:o/n/sub/pytorch_model.bin', 'o/n/resolve/main/sub/pytorch_model.bin'],
    ['hf:o/n@refs%2Fpr%2F1/a b.h5', 'o/n/resolve/refs%2Fpr%2F1/a%20b.h5'],
  ])('finds the address of %s', (given, path) => {
    expect(remote(given).url).toBe(`https://huggingface.co/${path}`);
  });

  it('asks the endpoint of the option, of HF_ENDPOINT, or the usual one, for the same place in the cache', () => {
    const usual = remote('hf:o/n');
    vi.stubEnv('HF_ENDPOINT', 'https://mirror.example/hf/');
    const other = remote('hf:o/n');
    expect(other.url).toBe('https://mirror.example/hf/o/n/resolve/main/model.safetensors');
    expect(other.slug).toBe(usual.slug);
    expect(remote('hf:o/n', 'http://localhost:1').url).toMatch(/^http:\/\/localhost:1\/o\/n\//);
  });

  it.each([
    'hf:',
    'hf:name',
    'hf:../name',
    'hf:o/..',
    'hf:o/n@',
    'hf:o/n/',
    'hf:o/n/../../x',
    'hf:o/n/%2e%2e/x',
    'hf:o/n/a%2F..%2Fb',
    'hf:o/n/a\\b',
    'hf:o/n@../../x/y',
    'hf:o/n/%zz',
    'hf:o/n@a/%00',
    'ftp://host/a',
    'http://',
    'https://user:secret@host/a',
    '',
    'a\0b',
  ])("refuses '%s'", (given) => {
    expect(() => parseReference(given)).toThrow(
      expect.objectContaining({ name: 'WeightsError', code: 'reference' }),
    );
  });

  it('does not repeat a password', () => {
    expect(() => parseReference('https://user:secret@host/a')).toThrow(/^(?!.*secret).*token/s);
  });

  it('takes paths and file URLs as files', () => {
    const path = resolve('a b/c.pth');
    expect(parseReference('a b/c.pth')).toEqual({ kind: 'local', path });
    expect(parseReference(pathToFileURL(path).href)).toEqual({ kind: 'local', path });
    expect(() => parseReference('file://host/share')).toThrow(/file's URL/);
  });

  it.each([
    'https://h/..%2f..%2fetc%2fpasswd',
    'https://h/a/%2e%2e/%2e%2e/b',
    'https://h/%2Fetc%2Fpasswd',
    'https://h/..%5c..%5cboot.ini',
    'https://h/.lock',
    'https://h/.record.json',
    'https://h/CON.pth',
    'https://h/a%00b',
    'https://h/a:b',
    'https://h/x. ',
    'https://h/',
    `https://h/${'long'.repeat(200)}.pth`,
    'https://h/%E0%A4%A.pth',
  ])('makes a name of %s that stays in its folder on every system', (given) => {
    const { file, slug } = remote(given);
    expect(file).toMatch(/^[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]{0,99}$/);
    expect(file).not.toMatch(/\.$|^(con|nul|aux|prn)(\.|$)/i);
    expect(slug).not.toContain(sep);
    expect(isSlug(slug)).toBe(true);
  });

  it('keeps the ending of a name that is too long', () => {
    expect(remote(`https://h/${'a'.repeat(300)}.safetensors`).file).toMatch(/^a+\.safetensors$/);
  });

  it('gives every URL a place of its own, whatever the fragment', () => {
    const urls = [
      'https://h/a',
      'https://h/A',
      'https://h/a?x',
      'https://h/a?y',
      'https://h/b/a',
      'http://h/a',
    ];
    expect(new Set(urls.map((url) => remote(url).slug)).size).toBe(urls.length);
    expect(remote('https://h/a#part')).toEqual(remote('https://h/a'));
  });

  it('shows no query', () => {
    expect(remote('https://h/a?signature=1').reference).toBe('https://h/a?…');
    expect(shownUrl('data:text/plain,hello')).toBe('data:…');
  });
});

describe('mirrorUrl', () => {
  it('adds the name to a folder', () => {
    expect(mirrorUrl('https://m/weights/', 'a.pth')).toBe('https://m/weights/a.pth');
    expect(mirrorUrl('https://m/other.pth', 'a.pth')).toBe('https://m/other.pth');
    expect(() => mirrorUrl('weights/', 'a.pth')).toThrow(/not a URL/);
  });
});
