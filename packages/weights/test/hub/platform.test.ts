import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { cacheFolder } from '../../src/hub/platform.ts';

const { posix, win32 } = path;

describe('cacheFolder', () => {
  it('is what CONVOKE_CACHE says', () => {
    const env = { CONVOKE_CACHE: '/big/disk', XDG_CACHE_HOME: '/xdg' };
    expect(cacheFolder(env, 'linux', '/home/a', posix)).toBe('/big/disk');
  });

  it('is in XDG_CACHE_HOME, where that is an absolute path', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/xdg' }, 'linux', '/home/a', posix)).toBe('/xdg/convoke');
    expect(cacheFolder({ XDG_CACHE_HOME: 'xdg' }, 'linux', '/home/a', posix)).toBe(
      '/home/a/.cache/convoke',
    );
  });

  it('is where the platform keeps caches', () => {
    expect(cacheFolder({}, 'linux', '/home/a', posix)).toBe('/home/a/.cache/convoke');
    expect(cacheFolder({}, 'darwin', '/Users/a', posix)).toBe('/Users/a/Library/Caches/convoke');
    const home = String.raw`C:\Users\a`;
    const local = String.raw`D:\Local`;
    expect(cacheFolder({ LOCALAPPDATA: local }, 'win32', home, win32)).toBe(
      String.raw`D:\Local\convoke\Cache`,
    );
    expect(cacheFolder({}, 'win32', home, win32)).toBe(
      String.raw`C:\Users\a\AppData\Local\convoke\Cache`,
    );
  });
});
