// Which proxy the environment names for a URL: HTTP_PROXY, HTTPS_PROXY, NO_PROXY, in small letters or capitals.

import { WeightsError } from '../errors.ts';
import { variable } from './platform.ts';

const eitherCase = (name: string): string | undefined =>
  variable(name.toLowerCase()) ?? variable(name);

/** Whether NO_PROXY excepts a URL: a list of hosts, with or without a port; `.example.org` and `example.org` cover sub-domains. */
function isExcepted(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]+/).some((item) => {
    if (item === '*') return true;
    const parts = /^\*?\.?(\[[^\]]+\]|[^:]+|.*:.*:.*?)(?::(\d+))?$/.exec(item.toLowerCase());
    const name = parts?.[1]?.replace(/^\[|\]$/g, '');
    if (!name || (parts?.[2] && parts[2] !== port)) return false;
    return host === name || host.endsWith(`.${name}`);
  });
}

export interface Proxy {
  readonly url: URL;
  /** For the header Proxy-Authorization, where the proxy's URL has a user. */
  readonly authorization: string | undefined;
}

/**
 * The proxy to ask for `target`; undefined where none is named. HTTP_PROXY serves https too where HTTPS_PROXY is not set. Throws a
 * WeightsError (`network`) where what is named is no proxy of a kind that can be used.
 */
export function proxyFor(target: URL): Proxy | undefined {
  if (isExcepted(target, eitherCase('NO_PROXY') ?? '')) return undefined;
  const names = target.protocol === 'https:' ? ['HTTPS_PROXY', 'HTTP_PROXY'] : ['HTTP_PROXY'];
  const name = names.find((candidate) => eitherCase(candidate) !== undefined);
  if (name === undefined) return undefined;
  const given = eitherCase(name)!;
  let url: URL | undefined;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`);
  } catch {
    // Told below.
  }
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    // It may have a password in it.
    const shown = given.replace(/\/\/[^@/]*@/, '//…@');
    throw new WeightsError(
      'network',
      `${name} is '${shown}', which is no proxy that can be used; expected http://HOST:PORT`,
    );
  }
  const { username, password } = url;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const bytes = new TextEncoder().encode(user);
  const authorization = username ? `Basic ${btoa(String.fromCodePoint(...bytes))}` : undefined;
  return { url, authorization };
}
