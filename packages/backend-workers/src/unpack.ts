// Unpacks the compiled kernels. No general method packs WebAssembly as small: this one knows instructions.
//
// A byte is found by questions that are answered yes or no: is it the one that is expected here? If not, what are its bits, from
// the highest down? Both sides ask the same questions. How likely a yes is gets learnt from earlier answers, under several
// contexts at once, and their opinions are mixed; the likelier an answer, the less of a bit it takes in the pack, by arithmetic
// coding. The packing side, codegen/pack.ts, answers from the module and writes; `unpack` reads.

/** Answers whether byte `at`, under `mask`, is `value`; `likely` is how probable a yes is, from 1/4096 to 4095/4096. */
export type Answer = (likely: number, at: number, mask: number, value: number) => boolean;

/** What follows an opcode: so many numbers of variable length or, below 0, so many plain bytes. */
const operands = new Int8Array(1024);
/** Opcodes behind a prefix, 252 to 254, stand 256 times 1 to 3 higher here. */
const PREFIX = 252;
const BULK = 256;
const SIMD = 512;
const ATOMIC = 768;
for (const [first, last, count] of [
  [2, 4, 1], // blocks
  [12, 13, 1], // branches
  [16, 16, 1], // calls
  [17, 17, 2],
  [32, 36, 1], // variables
  [40, 62, 2], // loads and stores
  [63, 66, 1], // memory.size, memory.grow, integers
  [67, 67, -4], // floats
  [68, 68, -8],
  [BULK + 10, BULK + 10, 2], // memory.copy, memory.fill
  [BULK + 11, BULK + 11, 1],
  [SIMD, SIMD + 11, 2], // loads and stores
  [SIMD + 12, SIMD + 13, -16], // constants, shuffles
  [SIMD + 21, SIMD + 34, 1], // lanes
  [SIMD + 84, SIMD + 91, 3],
  [SIMD + 92, SIMD + 93, 2],
  [SIMD + 128, SIMD + 255, 1], // the opcode's second byte
  [ATOMIC, ATOMIC + 255, 2],
] as const) {
  operands.fill(count, first, last + 1);
}

/** Contexts whose opinions are mixed. */
const CONTEXTS = 5;
/** An answer moves an opinion by 1 / (n + 1.4), n the answers before it, this many at most: it forgets the oldest. */
const MEMORY = 5;
/** How far an answer moves the weights of opinions. */
const LEARNING_RATE = 0.006;
const INITIAL_WEIGHT = 0.15;
/** Kinds of questions: about bits in 3 states, about the expected byte in 3 states and 16 lengths of a run. */
const KINDS = 3 + 3 * 16;
/**
 * An opinion weighs as much as two sets of weights say together. One is for the kind of question and for how many opinions have
 * seen an answer before; the other for the last opcode, read with all its operands or not yet, and for bits or the expected byte.
 */
const SETS_BY_KIND = KINDS * (CONTEXTS + 1);
const SETS = SETS_BY_KIND + 4 * operands.length;

// Opinions are mixed as logarithms of odds, in steps of 1/256 from -8 to 8. Both functions are tables made by multiplication
// and division alone, which give the same bits in every engine; Math.exp does not.
const STEPS = 4096;
/** The probability of log odds. */
const probability = new Float64Array(STEPS);
/** The log odds of a probability (in 4096ths). */
const logOdds = new Float64Array(STEPS);
const E_TO_MINUS_8 = 0.00033546262790251185;
const E_TO_256TH = 1.0039138893383475;
for (let i = 0, odds = E_TO_MINUS_8; i < STEPS; i++, odds *= E_TO_256TH) {
  probability[i] = Math.min(Math.max(odds / (1 + odds), 1 / STEPS), 1 - 1 / STEPS);
}
for (let i = 0, step = 0; i < STEPS; i++) {
  while (step < STEPS - 1 && probability[step]! * STEPS < i + 0.5) step++;
  logOdds[i] = (step - STEPS / 2) / 256;
}

/**
 * Opinions stand where hashes say: on a byte being the expected one each in a place of its own, on bits in lines of 16, one line
 * for each half of a byte. More of them would pack a little smaller, but no longer lie in a processor's cache.
 */
const LINES_LOG = 19;
const SINGLES_LOG = 17;

function hash(a: number, b: number): number {
  const mixed = Math.imul(a ^ b, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** The `length` bytes that the answers tell. */
export function ask(length: number, answer: Answer): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;

  /** A probability less a half in 4096ths, times 16, plus how many answers made it. */
  const opinions = new Int16Array((1 << LINES_LOG) + (1 << SINGLES_LOG));
  const contexts = new Int32Array(CONTEXTS);
  const places = new Int32Array(CONTEXTS);
  const inputs = new Float64Array(CONTEXTS);
  const weights = new Float64Array(SETS * CONTEXTS).fill(INITIAL_WEIGHT);

  const findSingles = (byte: number): void => {
    for (let i = 0; i < CONTEXTS; i++) {
      places[i] = (1 << LINES_LOG) + (hash(contexts[i]! + i, byte) >>> (32 - SINGLES_LOG));
    }
  };

  /** Lines for the next four bits, `known` being a 1 and the bits before. Their first places tell whose they are. */
  const findLines = (known: number): void => {
    for (let i = 0; i < CONTEXTS; i++) {
      const owner = hash(contexts[i]! + i, known << 8);
      const line = (owner >>> (32 - LINES_LOG)) & ~15;
      const tag = (owner << 16) >> 16;
      if (opinions[line] !== tag) {
        opinions[line] = tag;
        for (let j = line + 1; j < line + 16; j++) opinions[j] = 0;
      }
      places[i] = line;
    }
  };

  /** The last opcode, and whether its operands are being read: 1024 more. */
  let reading = 0;

  /** `offset` from the places, `kind` of question. */
  const question = (offset: number, kind: number, mask: number, value: number): boolean => {
    let known = 0;
    for (let i = 0; i < CONTEXTS; i++) {
      const opinion = opinions[places[i]! + offset]!;
      if (opinion !== 0) known++;
      inputs[i] = logOdds[(opinion >> 4) + STEPS / 2]!;
    }
    const byKind = (kind * (CONTEXTS + 1) + known) * CONTEXTS;
    const byOpcode = (SETS_BY_KIND + 2 * reading + (mask === 255 ? 1 : 0)) * CONTEXTS;
    let sum = 0;
    for (let i = 0; i < CONTEXTS; i++) {
      sum += inputs[i]! * (weights[byKind + i]! + weights[byOpcode + i]!);
    }
    const step = Math.floor(sum * 256) + STEPS / 2;
    const likely = probability[Math.min(Math.max(step, 0), STEPS - 1)]!;
    const yes = answer(likely, at, mask, value);
    const error = ((yes ? 1 : 0) - likely) * LEARNING_RATE;
    const certain = yes ? 2047.5 : -2047.5;
    for (let i = 0; i < CONTEXTS; i++) {
      const place = places[i]! + offset;
      const opinion = opinions[place]! >> 4;
      const count = opinions[place]! & 15;
      const moved = opinion + (certain - opinion) / (count + 1.4);
      opinions[place] = (moved << 4) | Math.min(count + 1, MEMORY);
      const change = inputs[i]! * error;
      weights[byKind + i]! += change;
      weights[byOpcode + i]! += change;
    }
    return yes;
  };

  /** Opcodes of the last instructions, the latest first. */
  const opcodes = new Int32Array(5);
  /** Where in an instruction we are: a hash of its bytes so far, its prefix (times 256), what is missing of its operands. */
  let within = 0;
  let prefix = 0;
  let missing = 0;
  /** Where the expected byte stands, how often in a row it was right, and where to look: the last places of contexts. */
  let from = 0;
  let run = 0;
  const afterTwo = new Int32Array(65536);
  const afterFour = new Int32Array(65536);

  for (; at < length; at++) {
    const one = hash(within, opcodes[0]!);
    const two = hash(one, opcodes[1]!);
    const four = hash(hash(two, opcodes[2]!), opcodes[3]!);
    contexts[0] = within;
    contexts[1] = one;
    contexts[2] = hash(four, opcodes[4]!);
    contexts[3] = hash(0, at < 2 ? 0 : (bytes[at - 1]! << 8) | bytes[at - 2]!);

    if (run === 0) from = afterFour[four >>> 16]! || afterTwo[two >>> 16]!;
    afterFour[four >>> 16] = at;
    afterTwo[two >>> 16] = at;
    const expected = bytes[from++]!;
    const state = prefix ? 1 : missing ? 2 : 0;
    reading = opcodes[0]! + (missing ? operands.length : 0);
    const runs = Math.min(run, 15);
    contexts[4] = hash(state, (runs + 1) << 2);
    findSingles(expected);
    let byte = expected;
    if (question(0, 3 + state * 16 + runs, 255, expected)) {
      run++;
    } else {
      run = 0;
      contexts[4] = hash(state, expected << 2);
      let known = 1;
      for (let bit = 128; bit > 0; bit >>= 1) {
        const half = bit > 8 ? 128 : 8;
        if (bit === half) findLines(known);
        const offset = (known & (half / bit - 1)) | (half / bit);
        known = known * 2 + (question(offset, state, bit, bit) ? 1 : 0);
      }
      byte = known & 255;
    }
    bytes[at] = byte;

    within = hash(within, byte + 1);
    if (missing) {
      if (missing < 0) missing++;
      else if (byte < 128) missing--;
    } else if (!prefix && byte >= PREFIX) {
      prefix = (byte - PREFIX + 1) << 8;
    } else {
      opcodes.copyWithin(1, 0);
      opcodes[0] = prefix | byte;
      missing = operands[prefix | byte]!;
      prefix = 0;
    }
    if (!missing && !prefix) within = 0;
  }
  return bytes;
}

/** Undoes `pack` of codegen/pack.ts: four bytes for the length, then the answers. */
export function unpack(packed: Uint8Array): Uint8Array<ArrayBuffer> {
  let at = 0;
  const next = (): number => packed[at++] ?? 0;
  const word = (): number => ((next() * 256 + next()) * 256 + next()) * 256 + next();
  const length = word();
  let value = word();
  let range = 2 ** 32;
  return ask(length, (likely) => {
    const part = Math.floor(range * likely);
    const yes = value < part;
    if (yes) {
      range = part;
    } else {
      range -= part;
      value -= part;
    }
    for (; range < 2 ** 24; range *= 256) value = value * 256 + next();
    return yes;
  });
}
