// The compiled kernels: of the two builds the one that this place runs, with its memory shared or private.

import { buildOf } from './builds.ts';
import { packedModule } from './generated/kernels.ts';
import { hasRelaxedSimd } from './probe.ts';
import { unpack } from './unpack.ts';

const compiled = new Map<boolean, Promise<WebAssembly.Module>>();

/** The kernels' module; compiled once for each kind of memory. */
export function loadModule(shared: boolean): Promise<WebAssembly.Module> {
  let module = compiled.get(shared);
  if (!module) {
    const packed = Uint8Array.from(atob(packedModule), (character) => character.charCodeAt(0));
    const bytes = buildOf(unpack(packed), hasRelaxedSimd() ? 'fma' : 'base');
    module = WebAssembly.compile(shared ? bytes : withPrivateMemory(bytes));
    compiled.set(shared, module);
  }
  return module;
}

const IMPORT_SECTION = 2;
const MEMORY = 2;
const FUNCTION = 0;
/** Flags of a memory's limits: bit 0 says that there is a maximum, bit 1 that it is shared. */
const SHARED_WITH_MAXIMUM = 3;
const WITH_MAXIMUM = 1;

/** The same module importing a memory that is not shared: one bit in its import section. */
export function withPrivateMemory(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = module.slice();
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const skipName = (): void => {
    const length = number();
    at += length;
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const size = number();
    const end = at + size;
    if (section === IMPORT_SECTION) {
      for (let left = number(); left > 0; left--) {
        skipName();
        skipName();
        const kind = bytes[at++];
        if (kind === MEMORY && bytes[at] === SHARED_WITH_MAXIMUM) {
          bytes[at] = WITH_MAXIMUM;
          return bytes;
        }
        if (kind !== FUNCTION) break;
        number();
      }
    }
    at = end;
  }
  throw new Error('the module of the kernels imports no shared memory');
}
