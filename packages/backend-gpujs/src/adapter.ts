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
   * Or GLSL ES 3.00 that defines `float compute()` or `vec4 compute()`, reads argument `x` by `texelFetch(user_x, …, 0)` and
   * number `n` as `user_n`.
   */
  readonly glsl?: string;
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

type GpuArgument = GpuTexture | Float32Array | number;

/** The parts of gpu.js's kernel that are used; `build` and `run` take the kernel's arguments. */
export interface GpuKernel {
  readonly constructor: { readonly mode: string; readonly name: string };
  texture: GpuTexture | null;
  _textureSwitched: boolean;
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
   * A kernel for an output of that many columns and rows (a GL texture) or elements, of 1 or 4 numbers each. Build it with
   * arguments of the sizes that it will run with.
   */
  create(source: Source, output: readonly number[], channels: 1 | 4): GpuKernel {
    const native = this.#natives.length > 0;
    const returnType = channels === 1 ? 'Number' : 'Array(4)';
    const script = source.glsl === undefined ? source.script! : 'return compute();';
    const body = native ? script.replaceAll('this.thread.x', 'cell()') : script;
    const natives =
      source.glsl === undefined
        ? this.#natives
        : [{ name: 'compute', source: source.glsl, returnType, argumentTypes: {} }];
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
