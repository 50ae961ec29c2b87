// A lock between processes: a file that exists while one of them downloads. Its holder touches it every two seconds, so that a
// dead holder's lock is found out and taken. Nothing depends on it but who does the work: see disk.ts.

import { builtin, nodeModule, pause } from './platform.ts';
import type { Lock, LockOptions } from './store.ts';

const BEAT = 2_000;
/** So long without a beat, a holder of another machine or of unknown state counts as dead. */
const SILENCE = 30_000;
const POLL = 200;

interface Holder {
  readonly token: string;
  readonly pid: number;
  /** The machine and, on Linux, the name space that `pid` is a number of. */
  readonly machine: string;
}

export interface DiskLock extends Lock {
  readonly token: string;
  /** The token of a holder that may still live though it is silent; its bytes are not to be trusted. */
  readonly suspect: string | null;
}

async function thisMachine(): Promise<string> {
  const space = await nodeModule('node:fs/promises')
    .readlink('/proc/self/ns/pid')
    .catch(() => '');
  return `${nodeModule('node:os').hostname()} ${space}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Who holds it and when that was last said; null where nobody does. */
async function look(path: string): Promise<{ holder: Holder | null; beat: number } | null> {
  const fs = nodeModule('node:fs/promises');
  try {
    const { mtimeMs } = await fs.stat(path);
    const text = await fs.readFile(path, 'utf8');
    try {
      return { holder: JSON.parse(text) as Holder, beat: mtimeMs };
    } catch {
      // Being written, or by one that died while writing.
      return { holder: null, beat: mtimeMs };
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Takes away a dead holder's lock, unless someone else was faster. */
async function takeAway(path: string, dead: string | undefined, token: string): Promise<void> {
  const fs = nodeModule('node:fs/promises');
  const aside = `${path}-${token}`;
  try {
    await fs.rename(path, aside);
    const taken = await look(aside);
    // Someone else's new one: put it back.
    if (taken?.holder && taken.holder.token !== dead) await fs.link(aside, path);
  } catch {
    // Gone already, or there again: the next look tells.
  }
  await fs.rm(aside, { force: true }).catch(() => undefined);
}

/** Whether anyone alive holds it, for those who will not wait. */
export async function isLocked(path: string): Promise<boolean> {
  const seen = await look(path);
  if (!seen) return false;
  if (seen.holder?.machine === (await thisMachine())) return isAlive(seen.holder.pid);
  return Date.now() - seen.beat < SILENCE;
}

/** Waits until nobody holds the lock, then holds it. */
export async function acquire(
  path: string,
  {
    signal,
    onWait,
    silence = SILENCE,
  }: { signal: LockOptions['signal']; onWait: () => Promise<void>; silence?: number },
): Promise<DiskLock> {
  const fs = nodeModule('node:fs/promises');
  const token = builtin('node:crypto')!.randomBytes(8).toString('hex');
  const machine = await thisMachine();
  let waited = false;
  let suspect: string | null = null;
  let last = { key: '', since: 0 };
  for (;;) {
    signal?.throwIfAborted();
    try {
      await fs.writeFile(path, JSON.stringify({ token, pid: process.pid, machine }), {
        flag: 'wx',
      });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const seen = await look(path);
    if (!seen) continue;
    const { holder, beat } = seen;
    const dead = holder?.machine === machine && !isAlive(holder.pid);
    // By our own clock: another machine's may be wrong.
    const key = `${holder?.token} ${beat}`;
    if (key !== last.key) last = { key, since: performance.now() };
    if (dead || performance.now() - last.since > silence) {
      if (!dead) suspect = holder?.token ?? null;
      await takeAway(path, holder?.token, token);
      continue;
    }
    waited = true;
    await onWait();
    await pause(POLL, signal);
  }
  const isOurs = async (): Promise<boolean> =>
    (await look(path).catch(() => null))?.holder?.token === token;
  const beating = setInterval(() => {
    isOurs()
      .then(async (ours) => {
        const now = new Date();
        if (ours) await fs.utimes(path, now, now);
      })
      .catch(() => undefined);
  }, BEAT);
  beating.unref();
  return {
    token,
    suspect,
    waited,
    isOurs,
    release: async () => {
      clearInterval(beating);
      if (await isOurs()) await fs.rm(path, { force: true });
    },
  };
}
