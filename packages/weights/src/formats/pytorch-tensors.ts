// The few globals that a PyTorch checkpoint needs: storages, and the functions that make tensors as views of them.

import type { StoredDtype } from '../tensors.ts';
import { Foreign, PickleFault, PickleGlobal, type PickleRules } from './pickle.ts';

/** A run of elements of one type, somewhere in the file. */
export interface Storage {
  /** Null where the type has no counterpart here; `typeName` then says which. */
  readonly dtype: StoredDtype | null;
  readonly typeName: string;
  readonly key: string;
  /** In elements. In bytes where the type is not known from the storage (`UntypedStorage`). */
  readonly count: number;
  /** Elements between the start of what is stored under the key and this. */
  readonly offset: number;
}

export class TorchTensor {
  readonly storage: Storage;
  readonly dtype: StoredDtype;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(init: Omit<TorchTensor, never>) {
    this.storage = init.storage;
    this.dtype = init.dtype;
    this.offset = init.offset;
    this.shape = init.shape;
    this.strides = init.strides;
  }
}

const storageTypes: ReadonlyMap<string, StoredDtype> = new Map([
  ['DoubleStorage', 'float64'],
  ['FloatStorage', 'float32'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
]);
const dtypeNames: ReadonlyMap<string, StoredDtype> = new Map(
  (
    [
      'float64',
      'float32',
      'float16',
      'bfloat16',
      'int64',
      'int32',
      'int16',
      'int8',
      'uint64',
      'uint32',
      'uint16',
      'uint8',
      'bool',
    ] as const
  ).map((name) => [`torch.${name}`, name]),
);

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

function isStorage(value: unknown): value is Storage {
  return typeof value === 'object' && value !== null && 'typeName' in value && 'key' in value;
}

function counts(value: unknown, what: string): number[] {
  if (!Array.isArray(value) || !value.every(isCount) || value.length > 64) {
    throw new PickleFault(`a tensor's ${what} must be whole numbers >= 0`);
  }
  return value;
}

/** What torch.save's persistent ids stand for: ('storage', type, key, location, count[, (view key, offset, count)]). */
function storageOf(id: unknown): unknown {
  if (!Array.isArray(id) || id[0] !== 'storage') return new Foreign('persistent object');
  const [, type, key, , count, view] = id as unknown[];
  if (
    !(type instanceof PickleGlobal) ||
    !(typeof key === 'string' || isCount(key)) ||
    !isCount(count)
  ) {
    throw new PickleFault('a storage is described wrongly');
  }
  const typeName = type.name.slice(type.name.lastIndexOf('.') + 1);
  const dtype = type.name.startsWith('torch.') ? (storageTypes.get(typeName) ?? null) : null;
  const whole: Storage = { dtype, typeName: type.name, key: String(key), count, offset: 0 };
  if (!Array.isArray(view)) return whole;
  const [, offset, length] = view as unknown[];
  if (!isCount(offset) || !isCount(length) || offset + length > count) {
    throw new PickleFault('a storage that views another does not lie within it');
  }
  return { ...whole, count: length, offset };
}

function tensorOf(
  storage: unknown,
  offset: unknown,
  size: unknown,
  stride: unknown,
  dtypeName?: unknown,
): unknown {
  if (!isStorage(storage)) return new Foreign('tensor without data');
  const shape = counts(size, 'shape');
  const strides = counts(stride, 'strides');
  if (!isCount(offset) || strides.length !== shape.length) {
    throw new PickleFault("a tensor's offset or strides are damaged");
  }
  const named = dtypeName instanceof PickleGlobal ? dtypeName.name : undefined;
  const dtype = named === undefined ? storage.dtype : (dtypeNames.get(named) ?? null);
  if (dtype === null) return new Foreign(`tensor of ${named ?? storage.typeName}`);
  return new TorchTensor({ storage, dtype, offset, shape, strides });
}

const functions: PickleRules['functions'] = new Map<string, (args: readonly unknown[]) => unknown>([
  [
    'torch._utils._rebuild_tensor',
    ([s, offset, size, stride]) => tensorOf(s, offset, size, stride),
  ],
  [
    'torch._utils._rebuild_tensor_v2',
    ([s, offset, size, stride]) => tensorOf(s, offset, size, stride),
  ],
  [
    'torch._utils._rebuild_tensor_v3',
    ([s, offset, size, stride, , , dtype]) => tensorOf(s, offset, size, stride, dtype),
  ],
  ['torch._utils._rebuild_parameter', ([data]) => data],
  ['torch._utils._rebuild_parameter_with_state', ([data]) => data],
  ['torch.nn.parameter.Parameter', ([data]) => data],
  [
    // (function, type, arguments, state): tensors with attributes of their own, and subclasses.
    'torch._tensor._rebuild_from_type_v2',
    ([callee, , args]) =>
      callee instanceof PickleGlobal && Array.isArray(args)
        ? (functions.get(callee.name)?.(args) ?? new Foreign(callee.name))
        : new Foreign('tensor of another type'),
  ],
  ['torch.Size', ([sizes]) => (Array.isArray(sizes) ? sizes : [])],
  ['collections.OrderedDict', ([items]) => mapOfPairs(items)],
  ['collections.defaultdict', () => new Map()],
]);

function mapOfPairs(items: unknown): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  if (!Array.isArray(items)) return map;
  for (const pair of items as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) throw new PickleFault('a dict is damaged');
    map.set(pair[0], pair[1]);
  }
  return map;
}

export const torchRules: PickleRules = { functions, persistent: storageOf };
