// A backend of a stranger, in the fewest lines: the required ops over plain arrays, each by what its definition says, and
// the contract around them. Independent of the naive reference; kernels may be added or replaced, rightly or wrongly.

import * as api from '@convoke/backend-api';

export type Value = api.Spec & { readonly data: api.Data };
export type Kernel<K extends api.OpName> = (
  attributes: api.OpAttributes[K],
  outputs: readonly api.Spec[],
  ...inputs: Value[]
) => api.Data[];
export type Kernels = { readonly [K in api.OpName]?: Kernel<K> };

/** Coordinates of an element along every axis. */
const unravel = (flat: number, shape: api.Shape): number[] =>
  api.stridesOf(shape).map((stride, axis) => Math.floor(flat / stride) % shape[axis]!);
const dot = (index: readonly number[], strides: readonly number[]): number =>
  index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);
const at = (x: Value, index: readonly number[]): number =>
  x.data[dot(index, api.stridesOf(x.shape))]!;
const make = (spec: api.Spec, element: (index: number[], flat: number) => number): api.Data =>
  api
    .allocate(spec.dtype, api.sizeOf(spec.shape))
    .map((_, i) => element(unravel(i, spec.shape), i));

/** Elements of x, each from where `from` says. */
const move = (y: api.Spec, x: Value, from: (index: number[]) => number[]): api.Data[] => [
  make(y, (index) => at(x, from(index))),
];
const unary =
  (f: (x: number) => number) =>
  (_: unknown, [y]: readonly api.Spec[], x?: Value): api.Data[] => [
    make(y!, (__, i) => f(x!.data[i]!)),
  ];
/** One function of elements that broadcast. */
const zip =
  (f: (...elements: [number, number, number]) => number) =>
  (_: unknown, [y]: readonly api.Spec[], ...xs: Value[]): api.Data[] => {
    const strides = xs.map((x) => api.broadcastStrides(x.shape, y!.shape));
    return [
      make(y!, (index) => {
        const picked = xs.map((x, i) => x.data[dot(index, strides[i]!)]!);
        return f(...(picked as [number, number, number]));
      }),
    ];
  };
const fold =
  (start: number, f: (total: number, x: number) => number) =>
  ({ axes }: api.OpAttributes['reduceSum'], [y]: readonly api.Spec[], x?: Value): api.Data[] => {
    const totals = new Float64Array(api.sizeOf(y!.shape)).fill(start);
    const kept = x!.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const strides = api.broadcastStrides(kept, x!.shape);
    x!.data.forEach((value, i) => {
      const to = dot(unravel(i, x!.shape), strides);
      totals[to] = f(totals[to]!, value);
    });
    return [make(y!, (_, i) => totals[i]!)];
  };

/** The elements along an axis, for each position of the other axes: flat positions of them. */
function lines(shape: api.Shape, axis: number): number[][] {
  const stride = api.stridesOf(shape)[axis]!;
  const starts = Array.from({ length: api.sizeOf(shape) }, (_, i) => i).filter(
    (i) => !(Math.floor(i / stride) % shape[axis]!),
  );
  return starts.map((start) => Array.from({ length: shape[axis]! }, (_, i) => start + i * stride));
}

/** Abramowitz & Stegun 7.1.26, within 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const factors = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const y = factors.reduce((sum, factor) => (sum + factor) * t, 0) * Math.exp(-x * x);
  return Number.isNaN(x) ? x : Math.sign(x) * (1 - (Math.abs(x) === Infinity ? 0 : y));
}

/** Whether a comes after b, where NaN comes last. */
const above = (a: number, b: number): boolean => (Number.isNaN(a) ? !Number.isNaN(b) : a > b);

/** Pairs [input position, kernel position] that meet along an axis for one output position. */
function meets(
  axis: 0 | 1,
  output: number,
  length: number,
  kernel: number,
  { stride, padding, lhsDilation, rhsDilation }: Omit<api.OpAttributes['conv2d'], 'groups'>,
): [number, number][] {
  return Array.from({ length: kernel }, (_, tap): [number, number] => {
    const position = output * stride[axis] + tap * rhsDilation[axis] - padding[axis * 2]!;
    return [position / lhsDilation[axis], tap];
  }).filter(([input]) => Number.isInteger(input) && input >= 0 && input < length);
}

/** Elements of a pooling window: positions in the plane, and the offset of the plane. */
function elements(
  { kernelSize, dilation, ...rest }: api.OpAttributes['sumPool2d'],
  { shape }: Value,
  [n, c, p, q]: readonly number[],
): { plane: number; inside: number[] } {
  const [, channels, height, width] = shape as [number, number, number, number];
  const window = { ...rest, lhsDilation: [1, 1], rhsDilation: dilation } as const;
  const rows = meets(0, p!, height, kernelSize[0], window);
  const columns = meets(1, q!, width, kernelSize[1], window);
  const inside = rows.flatMap(([row]) => columns.map(([column]) => row * width + column));
  return { plane: (n! * channels + c!) * height * width, inside };
}

const kernels: Kernels = {
  fill: ({ value }, [y]) => [make(y!, () => value)],
  iota: ({ axis }, [y]) => [make(y!, (index) => index[axis]!)],
  randomBits: (_, [y], key) => [
    make(y!, (__, i) => api.threefry2x32(key!.data[0]!, key!.data[1]!, i >> 1, 0)[i & 1]! >>> 8),
  ],
  cast: ({ dtype }, [y], x) => [
    make(y!, (_, i) => (dtype === 'bool' ? Number(x!.data[i] !== 0) : x!.data[i]!)),
  ],
  ...Object.fromEntries(
    (['exp', 'log', 'log1p', 'sqrt', 'sin', 'cos', 'tanh', 'floor'] as const).map((op) => [
      op,
      unary(Math[op]),
    ]),
  ),
  erf: unary(erf),
  floor: unary(Math.floor),
  round: unary((x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))),
  add: zip((a, b) => a + b),
  sub: zip((a, b) => a - b),
  div: zip((a, b) => a / b),
  pow: zip((a, b) => a ** b),
  mul: (_, [y], ...xs) => zip(y!.dtype === 'int32' ? Math.imul : (a, b) => a * b)(_, [y!], ...xs),
  maximum: zip((a, b) => Math.max(a, b)),
  equal: zip((a, b) => Number(a === b)),
  less: zip((a, b) => Number(a < b)),
  select: zip((condition, a, b) => (condition ? a : b)),
  reduceSum: fold(0, (a, b) => a + b),
  reduceProd: fold(1, (a, b) => a * b),
  reduceMax: fold(-Infinity, (a, b) => Math.max(a, b)),
  argMax: ({ axis }, [y], x) => {
    const best = lines(x!.shape, axis).map((line) =>
      line.reduce((found, i, k) => (above(x!.data[i]!, x!.data[line[found]!]!) ? k : found), 0),
    );
    return [make(y!, (_, i) => best[i]!)];
  },
  sort: ({ axis, descending }, [y, indices], x) => {
    const from = make(indices!, () => 0);
    for (const line of from.length === 0 ? [] : lines(x!.shape, axis)) {
      const values = line.map((i) => x!.data[i]!);
      const compare = (a: number, b: number): number =>
        Number(above(values[a]!, values[b]!)) - Number(above(values[b]!, values[a]!));
      const ranks = [...line.keys()].toSorted((a, b) =>
        descending ? compare(b, a) : compare(a, b),
      );
      for (const [to, rank] of ranks.entries()) from[line[to]!] = rank;
    }
    return [make(y!, (index, i) => at(x!, index.with(axis, from[i]!))), from];
  },
  reshape: (_, __, x) => [x!.data.slice()],
  permute: ({ permutation }, [y], x) =>
    move(y!, x!, (index) => permutation.map((_, axis) => index[permutation.indexOf(axis)]!)),
  broadcastTo: zip((a) => a),
  pad: ({ before, interior, value }, [y], x) => [
    make(y!, (index) => {
      const from = index.map((i, axis) => (i - before[axis]!) / (interior[axis]! + 1));
      const inside = from.every((i, axis) => Number.isInteger(i) && i >= 0 && i < x!.shape[axis]!);
      return inside ? at(x!, from) : value;
    }),
  ],
  slice: ({ starts, steps }, [y], x) =>
    move(y!, x!, (index) => index.map((i, axis) => starts[axis]! + i * steps[axis]!)),
  concat: ({ axis }, [y], ...xs) => {
    const owners = xs.flatMap((x) => Array.from({ length: x.shape[axis]! }, (_, i) => ({ x, i })));
    return [
      make(y!, (index) => {
        const { x, i } = owners[index[axis]!]!;
        return at(x, index.with(axis, i));
      }),
    ];
  },
  gather: ({ axis }, [y], x, indices) => [
    make(y!, (index, i) => {
      const from = indices!.data[i]!;
      return from < 0 || from >= x!.shape[axis]! ? NaN : at(x!, index.with(axis, from));
    }),
  ],
  scatterAdd: ({ axis }, _, x, indices, updates) => {
    const result = x!.data.slice();
    indices!.data.forEach((to, i) => {
      if (to < 0 || to >= x!.shape[axis]!) return;
      const target = dot(unravel(i, indices!.shape).with(axis, to), api.stridesOf(x!.shape));
      result[target] = result[target]! + updates!.data[i]!;
    });
    return [result];
  },
  matmul: (attributes, [y], a, b) => {
    const { k, batch } = api.matmulGeometry(a!.shape, b!.shape, attributes);
    const form = ({ shape }: Value): number[] =>
      api.broadcastStrides(shape, [...batch, ...shape.slice(-2)]);
    const [sa, sb] = [form(a!), form(b!)];
    return [
      make(y!, (index) => {
        const [row, column] = index.splice(-2) as [number, number];
        let sum = 0;
        for (let i = 0; i < k; i++) {
          const left = attributes.transposeA ? [i, row] : [row, i];
          const right = attributes.transposeB ? [column, i] : [i, column];
          sum += a!.data[dot([...index, ...left], sa)]! * b!.data[dot([...index, ...right], sb)]!;
        }
        return sum;
      }),
    ];
  },
  conv2d: (attributes, [y], x, filter) => {
    const [, c, h, w] = x!.shape as [number, number, number, number];
    const [o, perGroup, kh, kw] = filter!.shape as [number, number, number, number];
    return [
      make(y!, ([n, to, p, q]) => {
        const first = n! * c + Math.floor((to! * attributes.groups) / o) * perGroup;
        const columns = meets(1, q!, w, kw, attributes);
        let sum = 0;
        for (const [row, i] of meets(0, p!, h, kh, attributes)) {
          for (const [column, j] of columns) {
            for (let k = 0; k < perGroup; k++) {
              const from = ((first + k) * h + row) * w + column;
              sum += x!.data[from]! * filter!.data[((to! * perGroup + k) * kh + i) * kw + j]!;
            }
          }
        }
        return sum;
      }),
    ];
  },
  maxPool2d: (attributes, [y, indices], x) => {
    const values = make(y!, () => -Infinity);
    const found = make(indices!, (index, to) => {
      const { plane, inside } = elements(attributes, x!, index);
      const best = inside.reduce(
        (a, b) => (above(x!.data[plane + b]!, x!.data[plane + a]!) ? b : a),
        inside[0] ?? -1,
      );
      if (best >= 0) values[to] = x!.data[plane + best]!;
      return best;
    });
    return [values, found];
  },
  sumPool2d: (attributes, [y], x) => [
    make(y!, (index) => {
      const { plane, inside } = elements(attributes, x!, index);
      return inside.reduce((sum, i) => sum + x!.data[plane + i]!, 0);
    }),
  ],
};

/** The backend with `added` kernels beside or instead of its own. */
export function createToy(added: Kernels = {}): api.Backend {
  const all: Kernels = { ...kernels, ...added };
  const live = new Map<api.Handle, { count: number; data: api.Data }>();
  let disposed = false;
  const entry = (handle: api.Handle): { count: number; data: api.Data } => {
    const found = live.get(handle);
    if (!found || disposed) throw new api.DisposedError('toy: used after its release');
    return found;
  };
  const own = (spec: api.Spec, data: api.Data): api.Handle => {
    if (disposed) throw new api.DisposedError('toy: the backend was disposed');
    const handle = { spec };
    live.set(handle, { count: 1, data });
    return handle;
  };
  const backend: api.Backend = {
    name: 'toy',
    specVersion: api.SPEC_VERSION,
    capabilities: {
      dtypes: ['float32', 'int32', 'uint8', 'bool'],
      epsilon: 2 ** -24,
      nonFinite: true,
      checksIndices: false,
      maxBytes: null,
      readSync: false,
      threads: 1,
      deterministic: true,
    },
    upload: (spec, data) => own(spec, data.slice()),
    run(op, inputs, attributes, donate = []) {
      const values = inputs.map((handle): Value => ({ ...handle.spec, data: entry(handle).data }));
      const specs = api.definition(op).infer(values, attributes);
      if (!all[op]) throw new api.BackendError('backend-unsupported', `toy: ${op} is not run here`);
      const results = (all[op] as Kernel<typeof op>)(attributes, specs, ...values);
      const outputs = specs.map((spec, i) => own(spec, results[i]!));
      for (const position of donate) backend.release(inputs[position]!);
      return outputs;
    },
    supports: (op) => api.isRequired(op) || all[op] !== undefined,
    read: async (handle) => entry(handle).data.slice(),
    retain: (handle) => void entry(handle).count++,
    release: (handle) => void (--entry(handle).count === 0 && live.delete(handle)),
    sync: async () => {
      if (disposed) throw new api.DisposedError('toy: the backend was disposed');
    },
    memory: () => ({
      handles: live.size,
      bytes: [...live.keys()].reduce((sum, { spec }) => sum + api.byteLength(spec), 0),
    }),
    onLost: () => () => undefined,
    dispose: () => void (disposed = true),
  };
  return backend;
}

export function toy(added: Kernels = {}): api.BackendFactory {
  return {
    name: 'toy',
    specVersion: api.SPEC_VERSION,
    priority: 0,
    probe: async () => ({ available: true }),
    create: async () => createToy(added),
  };
}
