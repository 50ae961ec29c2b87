// All of gpu.js that this package touches, typed. gpu.js is CommonJS with patchy types, falls back to the CPU without being
// asked, and its browser build replaces `window.GPU`; here is its source entry, which replaces nothing, behind a `Compiler`
// that makes kernels of exactly the mode it was asked for.

import { BackendError } from '@convoke/backend-api';
import * as library from 'gpu.js';

export type Mode = 'webgl2' | 'webgl' | 'headlessgl' | 'webgpu' | 'webasm';

/** A kernel's source in one of two languages. Argument i is called `arguments[i]`. */
export interface Source {
  readonly arguments: readonly string[];
  /**
   * Statements in gpu.js's JavaScript. `this.thread.x` is the element to compute; `idiv(a, b)` divides whole numbers; the
   * functions of functions.ts may be called.
   */
  readonly script?: string;
  /**
   * Or GLSL ES 3.00 that defines `float compute()` or `vec4 compute()`, reads element i of argument `x` by `x_at(i)` and number
   * `n` as `user_n`. `index` is the element to compute.
   */
  readonly glsl?: string;
  /**
   * How many outputs of one layout a kernel in GLSL fills. `compute()` returns the first and assigns the others to
   * `subKernelResult_part1`, …: gpu.js's names. Default 1.
   */
  readonly parts?: number;
}

/** A function in JavaScript that scripts may call, and where there is one its form in GLSL. */
export interface LibraryFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  /** What it gives and, unless `takes` says otherwise, what it takes. */
  readonly type: 'Integer' | 'Number';
  readonly takes?: 'Integer' | 'Number';
  readonly script: string;
  readonly glsl?: string;
}

/** What a kernel of gpu.js takes for a texture, and writes to. */
export interface GpuTexture {
  texture: WebGLTexture;
  readonly size: Int32Array;
  readonly dimensions: Int32Array;
  readonly output: readonly number[];
  readonly type: 'ArrayTexture(1)' | 'ArrayTexture(4)';
  readonly context: WebGL2RenderingContext;
  beforeMutate(): boolean;
  clone(): GpuTexture;
  delete(): void;
}

/** What a kernel of WebGPU gives, and takes. */
export interface GpuBuffer {
  readonly context: {
    readonly isLost: boolean;
    readonly device: {
      readonly limits: { readonly maxStorageBufferBindingSize: number };
      readonly lost: Promise<unknown>;
      readonly queue: { onSubmittedWorkDone(): Promise<void> };
    };
  };
  toArray(): Promise<Float32Array>;
  delete(): void;
}

export type GpuArgument = GpuTexture | GpuBuffer | Float32Array | number;

/** The parts of gpu.js's kernel that are used; `build` and `run` take the kernel's arguments. */
export interface GpuKernel {
  readonly constructor: { readonly mode: string; readonly name: string };
  texture: GpuTexture | null;
  _textureSwitched: boolean;
  /** Outputs after the first. */
  mappedTextures: readonly GpuTexture[] | null;
  _mappedTextureSwitched: boolean[];
  drawBuffersMap: readonly number[] | null;
  fallbackRequested?: boolean;
  build(...values: readonly GpuArgument[]): void;
  run(...values: readonly GpuArgument[]): unknown;
  destroy(removeCanvas: boolean): void;
}

interface KernelSettings {
  readonly output: readonly number[];
  readonly returnType: 'Number' | 'Array(4)';
  readonly precision: 'single';
  readonly pipeline: true;
  readonly immutable: true;
  readonly tactic: 'precision';
  readonly nativeFunctions?: readonly NativeFunction[];
  readonly subKernels?: readonly SubKernel[];
}

/** To gpu.js a function whose results are an output of their own; here nothing calls it, and GLSL assigns its result. */
interface SubKernel {
  readonly name: string;
  readonly property: string;
  readonly source: string;
  readonly returnType: string;
}

interface NativeFunction {
  readonly name: string;
  readonly source: string;
  readonly returnType: string;
  readonly argumentTypes: Readonly<Record<string, string>>;
}

interface Gpu {
  readonly Kernel: unknown;
  createKernel(source: string, settings: KernelSettings): { readonly kernel: GpuKernel };
  addFunction(
    source: string,
    settings: { returnType: string; argumentTypes: Readonly<Record<string, string>> },
  ): void;
  destroy(): Promise<void>;
}

interface KernelClass {
  readonly isSupported: boolean;
}

interface Library {
  readonly GPU: new (settings: {
    mode?: Mode;
    context?: WebGL2RenderingContext;
    canvas?: unknown;
  }) => Gpu;
  readonly WebGL2Kernel: KernelClass;
  readonly WebGLKernel: KernelClass;
  readonly HeadlessGLKernel: KernelClass;
  readonly WebAssemblyKernel: KernelClass;
  readonly WebGPUKernel: KernelClass;
}

const loaded = library as unknown as Library & { readonly default?: Library };
const gpujs: Library = loaded.default ?? loaded;

const kernelClasses: Readonly<Record<Mode, KernelClass>> = {
  webgl2: gpujs.WebGL2Kernel,
  webgl: gpujs.WebGLKernel,
  headlessgl: gpujs.HeadlessGLKernel,
  webgpu: gpujs.WebGPUKernel,
  webasm: gpujs.WebAssemblyKernel,
};

/** Whether gpu.js can work in this mode here. To know, it compiles a few kernels, once, on contexts of its own that stay. */
export function isSupported(mode: Mode): boolean {
  return kernelClasses[mode].isSupported;
}

/** Elements of a run: so many, from a multiple of it on, lie in one row of a texture that has as many columns. */
const RUN = 8;

/**
 * Reads elements one after another, from rows of a power of two: `x_at(i)`, and, without the arithmetic of each, `x_from(x_start(i), k)`
 * for i + k where both lie in one run.
 */
function accessor(name: string, { size, type }: GpuTexture): NativeFunction {
  const [single, width] = [type === 'ArrayTexture(1)', size[0]!];
  const texel = (place: string): string =>
    `texelFetch(user_${name}, ${place}, 0)${single ? '.r' : ''}`;
  const place = (i: string): string => `ivec2(${i} & ${width - 1}, ${i} >> ${Math.log2(width)})`;
  const value = single ? 'float' : 'vec4';
  return {
    name: `${name}_at`,
    source: `${value} ${name}_at(int i) { return ${texel(place('i'))}; }
ivec2 ${name}_start(int i) { return ${width < RUN ? 'ivec2(i, 0)' : place('i')}; }
${value} ${name}_from(ivec2 start, int k) { ${width < RUN ? `int i = start.x + k; return ${texel(place('i'))}` : `return ${texel('start + ivec2(k, 0)')}`}; }`,
    returnType: single ? 'Number' : 'Array(4)',
    argumentTypes: { i: 'Integer' },
  };
}

/** `name[…]` as calls of its accessor: gpu.js's own reads divide by the width of the texture, several times slower. */
function withAccessor(script: string, name: string): string {
  const opening = new RegExp(`\\b${name}\\[`).exec(script);
  if (!opening) return script;
  const from = opening.index + opening[0].length;
  let end = from;
  for (let depth = 1; depth > 0; end++) {
    if (script[end] === '[') depth++;
    if (script[end] === ']') depth--;
  }
  const inside = withAccessor(script.slice(from, end - 1), name);
  return `${script.slice(0, opening.index)}${name}_at(${inside})${withAccessor(script.slice(end), name)}`;
}

const typeNames = { Integer: 'int', Number: 'float' } as const;

/** Makes kernels of one mode. */
export class Compiler {
  readonly mode: Mode;
  readonly #gpu: Gpu;
  readonly #natives: readonly NativeFunction[];

  constructor(mode: Mode, functions: readonly LibraryFunction[], context?: WebGL2RenderingContext) {
    this.mode = mode;
    // gpu.js resizes the canvas to its largest output, which nobody looks at: it gets an object instead.
    const canvas = context && { width: 1, height: 1, getContext: () => context };
    this.#gpu = new gpujs.GPU(context ? { context, canvas } : { mode });
    const native = context !== undefined;
    if (this.#gpu.Kernel !== kernelClasses[mode]) {
      throw new BackendError(
        'backend-unavailable',
        `gpujs: gpu.js chose another kind of kernel than ${mode}; this browser's context is not what it says`,
      );
    }
    // GLSL ES 1.00 has no bitwise operators.
    const inGlsl = functions.map(
      (entry) =>
        native && entry.glsl !== undefined && (mode === 'webgl2' || !entry.glsl.includes('^')),
    );
    for (const [i, { name, parameters, type, takes = type, script }] of functions.entries()) {
      if (inGlsl[i]) continue;
      const argumentTypes = Object.fromEntries(parameters.map((parameter) => [parameter, takes]));
      this.#gpu.addFunction(`function ${name}(${parameters.join(', ')}) {${script}}`, {
        returnType: type,
        argumentTypes,
      });
    }
    this.#natives = native
      ? [
          {
            name: 'cell',
            source: 'int cell() { return index; }',
            returnType: 'Integer',
            argumentTypes: {},
          },
          ...functions.flatMap(({ name, parameters, type, takes = type, glsl }, i) => {
            const list = parameters.map((parameter) => `${typeNames[takes]} ${parameter}`);
            return inGlsl[i]
              ? {
                  name,
                  source: `${typeNames[type]} ${name}(${list.join(', ')}) { ${glsl} }`,
                  returnType: type,
                  argumentTypes: Object.fromEntries(
                    parameters.map((parameter) => [parameter, takes]),
                  ),
                }
              : [];
          }),
        ]
      : [];
  }

  /**
   * A kernel for outputs of that many columns and rows (a GL texture) or elements, of 1 or 4 numbers each, to be run with
   * arguments of the sizes of `values`.
   */
  create(
    source: Source,
    values: readonly GpuArgument[],
    output: readonly number[],
    channels: 1 | 4,
  ): GpuKernel {
    const native = this.#natives.length > 0;
    const returnType = channels === 1 ? 'Number' : 'Array(4)';
    let body = source.glsl === undefined ? source.script! : 'return compute();';
    let natives = this.#natives;
    if (native) body = body.replaceAll('this.thread.x', 'cell()');
    if (this.mode === 'webgl2') {
      const accessors: NativeFunction[] = [];
      for (const [i, value] of values.entries()) {
        if (typeof value !== 'object' || !('texture' in value)) continue;
        const name = source.arguments[i]!;
        accessors.push(accessor(name, value));
        body = withAccessor(body, name);
      }
      const reads = accessors.map((entry) => entry.source).join('\n');
      natives =
        source.glsl === undefined
          ? [...natives, ...accessors]
          : [
              {
                name: 'compute',
                source: `${reads}\n${source.glsl}`,
                returnType,
                argumentTypes: {},
              },
            ];
    }
    const others = Array.from({ length: (source.parts ?? 1) - 1 }, (_, i) => `part${i + 1}`);
    const { kernel } = this.#gpu.createKernel(
      `function(${source.arguments.join(', ')}) {${body}}`,
      {
        output,
        returnType,
        precision: 'single',
        pipeline: true,
        immutable: true,
        tactic: 'precision',
        ...(native && { nativeFunctions: natives }),
        ...(others.length > 0 && {
          subKernels: others.map((name) => ({
            name,
            property: name,
            source: `function ${name}() { return 0; }`,
            returnType,
          })),
        }),
      },
    );
    if (!(kernel instanceof (kernelClasses[this.mode] as unknown as abstract new () => object))) {
      throw new BackendError(
        'backend-failed',
        `gpujs: gpu.js made a ${kernel.constructor.name} instead of a kernel of ${this.mode}`,
      );
    }
    return kernel;
  }

  dispose(): void {
    void this.#gpu.destroy();
  }
}
