// A pickle machine that executes nothing: it builds lists, maps, numbers and texts, calls those few functions that it was
// given, and makes of every other class or function an inert `Foreign` object that only knows its name.

/** A class or function by name. */
export class PickleGlobal {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What calling something unknown would have given. Its parts are kept, so that tensors in it can be counted. */
export class Foreign {
  readonly name: string;
  readonly parts: unknown[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

/** The pickle ends before its STOP. */
export class PickleCutOff extends Error {}

/** The pickle is damaged, or not one that can be read. */
export class PickleFault extends Error {}

export interface PickleRules {
  /** What calling these globals gives, by name (`module.name`). The arguments come unchecked. */
  readonly functions: ReadonlyMap<string, (args: readonly unknown[]) => unknown>;
  /** What a persistent id stands for. */
  readonly persistent: (id: unknown) => unknown;
}

const MARK = Symbol('mark');
const LATIN1 = new TextDecoder('latin1');
const UTF8 = new TextDecoder();
/** Longer integers mean nothing to us. */
const MAX_INTEGER_BYTES = 256;

/** Runs one pickle from `start` to its STOP. */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  { functions, persistent }: PickleRules,
): { value: unknown; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  let at = start;

  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new PickleCutOff('the pickle is cut off');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const fault = (message: string): never => {
    throw new PickleFault(`the pickle is damaged at byte ${at}: ${message}`);
  };
  const uint8 = (): number => take(1)[0]!;
  const uint16 = (): number => (take(2), view.getUint16(at - 2, true));
  const int32 = (): number => (take(4), view.getInt32(at - 4, true));
  const uint32 = (): number => (take(4), view.getUint32(at - 4, true));
  const uint64 = (): number => {
    take(8);
    const value = view.getBigUint64(at - 8, true);
    return value > BigInt(bytes.length) ? fault(`a length of ${value}`) : Number(value);
  };
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new PickleCutOff('the pickle is cut off');
    const text = LATIN1.decode(bytes.subarray(at, end));
    at = end + 1;
    return text;
  };
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) return fault('nothing to take');
    return stack.pop();
  };
  const top = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) return fault('nothing to look at');
    return stack.at(-1);
  };
  const popMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) return fault('no mark');
    const items = stack.splice(mark);
    items.shift();
    return items;
  };
  const push = (value: unknown): void => void stack.push(value);
  const recall = (key: number): void => {
    if (!memo.has(key)) fault(`nothing remembered under ${key}`);
    push(memo.get(key));
  };
  const list = (value: unknown): unknown[] =>
    Array.isArray(value) ? value : (fault('a tuple is missing') as never);
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : fault('a text is missing');
  const numberOf = (words: string): number => {
    const value = Number(words);
    return words.trim() === '' || Number.isNaN(value) ? fault(`'${words}' is no number`) : value;
  };
  const integer = (length: number): number | bigint => {
    if (length > MAX_INTEGER_BYTES) fault(`an integer of ${length} bytes`);
    let value = 0n;
    for (const [i, byte] of take(length).entries()) value |= BigInt(byte) << BigInt(8 * i);
    value = BigInt.asIntN(8 * length, value);
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value;
  };
  const call = (callee: unknown, args: unknown): unknown => {
    const parts = list(args);
    if (!(callee instanceof PickleGlobal)) {
      const foreign = new Foreign(callee instanceof Foreign ? callee.name : 'unknown');
      foreign.parts.push(callee, ...parts);
      return foreign;
    }
    const known = functions.get(callee.name);
    if (known) return known(parts);
    const foreign = new Foreign(callee.name);
    foreign.parts.push(...parts);
    return foreign;
  };
  const setItems = (target: unknown, items: readonly unknown[]): void => {
    if (items.length % 2 === 1) fault('a key without a value');
    if (target instanceof Foreign) target.parts.push(...items.filter((_, i) => i % 2 === 1));
    else if (target instanceof Map) {
      for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
    } else fault('keys for something else than a dict');
  };
  const append = (target: unknown, items: readonly unknown[]): void => {
    if (target instanceof Foreign) for (const item of items) target.parts.push(item);
    else if (Array.isArray(target)) for (const item of items) target.push(item);
    else fault('items for something else than a list');
  };
  const mapOf = (items: readonly unknown[]): Map<unknown, unknown> => {
    const map = new Map();
    setItems(map, items);
    return map;
  };

  for (;;) {
    const op = String.fromCharCode(uint8());
    switch (op) {
      case '.':
        return { value: pop(), end: at };
      case '\x80': {
        const protocol = uint8();
        if (protocol > 5) fault(`protocol ${protocol}`);
        break;
      }
      case '\x95':
        take(8);
        break;
      case '(':
        push(MARK);
        break;
      case '0':
        if (stack.pop() === undefined) fault('nothing to take');
        break;
      case '1':
        popMark();
        break;
      case '2':
        push(top());
        break;
      // Constants and numbers.
      case 'N':
        push(null);
        break;
      case '\x88':
        push(true);
        break;
      case '\x89':
        push(false);
        break;
      case 'I': {
        const words = line();
        push(words === '01' ? true : words === '00' ? false : numberOf(words));
        break;
      }
      case 'J':
        push(int32());
        break;
      case 'K':
        push(uint8());
        break;
      case 'M':
        push(uint16());
        break;
      case 'L':
        push(numberOf(line().replace(/L$/, '')));
        break;
      case '\x8a':
        push(integer(uint8()));
        break;
      case '\x8b':
        push(integer(uint32()));
        break;
      case 'F':
        push(numberOf(line()));
        break;
      case 'G':
        take(8);
        push(view.getFloat64(at - 8, false));
        break;
      // Texts and bytes.
      case 'S':
        push(line().slice(1, -1));
        break;
      case 'T':
        push(LATIN1.decode(take(uint32())));
        break;
      case 'U':
        push(LATIN1.decode(take(uint8())));
        break;
      case 'V':
        push(line());
        break;
      case 'X':
        push(UTF8.decode(take(uint32())));
        break;
      case '\x8c':
        push(UTF8.decode(take(uint8())));
        break;
      case '\x8d':
        push(UTF8.decode(take(uint64())));
        break;
      case 'B':
        push(take(uint32()));
        break;
      case 'C':
        push(take(uint8()));
        break;
      case '\x8e':
      case '\x96':
        push(take(uint64()));
        break;
      // Containers.
      case ']':
      case ')':
      case '\x8f':
        push([]);
        break;
      case 'l':
      case 't':
      case '\x91':
        push(popMark());
        break;
      case '\x85':
        push([pop()]);
        break;
      case '\x86': {
        const second = pop();
        push([pop(), second]);
        break;
      }
      case '\x87': {
        const third = pop();
        const second = pop();
        push([pop(), second, third]);
        break;
      }
      case '}':
        push(new Map());
        break;
      case 'd':
        push(mapOf(popMark()));
        break;
      case 'a': {
        const item = pop();
        append(top(), [item]);
        break;
      }
      case 'e':
      case '\x90': {
        const items = popMark();
        append(top(), items);
        break;
      }
      case 's': {
        const value = pop();
        const key = pop();
        setItems(top(), [key, value]);
        break;
      }
      case 'u': {
        const items = popMark();
        setItems(top(), items);
        break;
      }
      // What was seen before.
      case 'p':
        memo.set(numberOf(line()), top());
        break;
      case 'q':
        memo.set(uint8(), top());
        break;
      case 'r':
        memo.set(uint32(), top());
        break;
      case '\x94':
        memo.set(memo.size, top());
        break;
      case 'g':
        recall(numberOf(line()));
        break;
      case 'h':
        recall(uint8());
        break;
      case 'j':
        recall(uint32());
        break;
      // Classes and functions: names only.
      case 'c': {
        const module = line();
        push(new PickleGlobal(`${module}.${line()}`));
        break;
      }
      case '\x93': {
        const name = text(pop());
        push(new PickleGlobal(`${text(pop())}.${name}`));
        break;
      }
      case 'R':
      case '\x81': {
        const args = pop();
        push(call(pop(), args));
        break;
      }
      case '\x92': {
        pop();
        const args = pop();
        push(call(pop(), args));
        break;
      }
      case 'i': {
        const module = line();
        const name = line();
        push(call(new PickleGlobal(`${module}.${name}`), popMark()));
        break;
      }
      case 'o': {
        const [callee, ...args] = popMark();
        push(call(callee, args));
        break;
      }
      case 'b': {
        const state = pop();
        const target = top();
        // An OrderedDict's state is notes about it (PyTorch's `_metadata`).
        if (target instanceof Foreign) target.parts.push(state);
        break;
      }
      case 'P':
        push(persistent(line()));
        break;
      case 'Q':
        push(persistent(pop()));
        break;
      default:
        fault(`unknown instruction 0x${bytes[at - 1]!.toString(16)}`);
    }
  }
}
