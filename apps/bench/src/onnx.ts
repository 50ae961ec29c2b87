// Writes a network of one node as an ONNX file, enough to put one op before a runtime. ONNX is protocol buffers: a message is a
// row of fields, each a key (number and wire type) and a value. Field numbers are those of onnx.proto3.

type Bytes = Uint8Array;

export interface OnnxInput {
  readonly name: string;
  readonly shape: readonly number[];
  /** Makes it a constant of the file. */
  readonly values?: Float32Array;
}

export interface OnnxNode {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly inputs: readonly OnnxInput[];
}

/** A whole number, a list of whole numbers, a text, or a float32. */
type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

export const OUTPUT = 'y';

const IR_VERSION = 10;
/** Has Gelu. */
const OPSET = 20;
const FLOAT = 1;
const attributeTypes = { float: 1, integer: 2, text: 3, integers: 7 } as const;

const text = new TextEncoder();

function join(parts: readonly Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varint(value: number): Bytes {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Uint8Array.of(...bytes, value);
}

const integer = (field: number, value: number): Bytes => join([varint(field * 8), varint(value)]);

/** A field of bytes: a message, a text, or raw data. */
function block(field: number, ...parts: readonly Bytes[]): Bytes {
  const body = join(parts);
  return join([varint(field * 8 + 2), varint(body.length), body]);
}

const string = (field: number, value: string): Bytes => block(field, text.encode(value));

function float(field: number, value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return join([varint(field * 8 + 5), bytes]);
}

function attribute(name: string, value: OnnxAttribute): Bytes {
  const typed = (type: number, ...body: readonly Bytes[]): Bytes =>
    join([string(1, name), ...body, integer(20, type)]);
  if (typeof value === 'number') return typed(attributeTypes.integer, integer(3, value));
  if (typeof value === 'string') return typed(attributeTypes.text, string(4, value));
  if ('float' in value) return typed(attributeTypes.float, float(2, value.float));
  return typed(attributeTypes.integers, ...value.map((item) => integer(8, item)));
}

function valueInfo(name: string, shape: readonly number[]): Bytes {
  const dimensions = shape.map((size) => block(1, integer(1, size)));
  return join([string(1, name), block(2, block(1, integer(1, FLOAT), block(2, ...dimensions)))]);
}

function initializer({ name, shape }: OnnxInput, values: Float32Array): Bytes {
  const raw = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, i) => raw.setFloat32(i * 4, value, true));
  return join([
    ...shape.map((size) => integer(1, size)),
    integer(2, FLOAT),
    string(8, name),
    block(9, new Uint8Array(raw.buffer)),
  ]);
}

/** A model whose one node computes `OUTPUT`, of the given shape, from its inputs. */
export function onnxModel(
  { op, attributes = {}, inputs }: OnnxNode,
  shape: readonly number[],
): Bytes {
  const node = join([
    ...inputs.map(({ name }) => string(1, name)),
    string(2, OUTPUT),
    string(4, op),
    ...Object.entries(attributes).map(([name, value]) => block(5, attribute(name, value))),
  ]);
  const graph = join([
    block(1, node),
    string(2, op),
    ...inputs.flatMap((input) =>
      input.values ? [block(5, initializer(input, input.values))] : [],
    ),
    ...inputs.flatMap((input) =>
      input.values ? [] : [block(11, valueInfo(input.name, input.shape))],
    ),
    block(12, valueInfo(OUTPUT, shape)),
  ]);
  return join([
    integer(1, IR_VERSION),
    block(7, graph),
    block(8, string(1, ''), integer(2, OPSET)),
  ]);
}
