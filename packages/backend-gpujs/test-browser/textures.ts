// Counts a page's WebGL textures while a small network trains. Both functions run on the page.

declare global {
  /** Contexts that were made on the page, the latest last, and how many of their textures are not deleted. */
  var contexts: WebGL2RenderingContext[];
  var liveTextures: number;
  /** Names on the page's window before its script ran. */
  var namesBefore: string[];
}

/** For a page before its own script. */
export function watchWebGl(): void {
  globalThis.namesBefore = Object.getOwnPropertyNames(globalThis);
  globalThis.contexts = [];
  globalThis.liveTextures = 0;
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function watched(
    this: HTMLCanvasElement,
    ...args: never[]
  ) {
    const context = Reflect.apply(getContext, this, args) as WebGL2RenderingContext | null;
    if (context) globalThis.contexts.push(context);
    return context;
  } as typeof getContext;
  const { createTexture, deleteTexture } = WebGL2RenderingContext.prototype;
  WebGL2RenderingContext.prototype.createTexture = function counted() {
    globalThis.liveTextures++;
    return createTexture.call(this);
  };
  WebGL2RenderingContext.prototype.deleteTexture = function counted(texture) {
    if (texture && this.isTexture(texture)) globalThis.liveTextures--;
    deleteTexture.call(this, texture);
  };
}

/**
 * Textures and handles that live after so many steps of training whose losses nobody reads, how often values were read back, and
 * textures after the backend is disposed of.
 */
export async function trainAndCount(
  steps: readonly number[],
): Promise<{ textures: number[]; handles: number[]; readBacks: number; left: number }> {
  const { backend, core, nn } = globalThis.kit;
  const gpu = await core.use(await backend.createGpujs());
  const model = new nn.Sequential({
    conv: new nn.Conv2d({ inChannels: 1, outChannels: 2, kernelSize: 3 }),
    norm: new nn.BatchNorm2d({ channels: 2 }),
    relu: new nn.ReLU(),
    pool: new nn.MaxPool2d({ kernelSize: 2 }),
    flatten: new nn.Flatten(),
    fc: new nn.Linear({ inFeatures: 8, outFeatures: 3 }),
  });
  const optimizer = new nn.SGD(model.namedParameters(), { lr: 0.01, momentum: 0.9 });
  const labels = core.tensor([0, 2], { dtype: 'int32' });
  const counts: Record<number, [textures: number, handles: number]> = {};
  for (let step = 1; step <= steps.at(-1)!; step++) {
    core.scope(() => {
      // The input comes anew every time, as a loader's batch does.
      const x = core.tensor(
        Float32Array.from({ length: 72 }, (_, i) => Math.sin(i * step)),
        {
          shape: [2, 1, 6, 6],
        },
      );
      optimizer.zeroGrad();
      core.backward(core.crossEntropy(model.forward(x), labels));
      optimizer.step();
    });
    // Or the queue of the GPU grows without bounds.
    if (step % 10 === 0) await gpu.sync();
    counts[step] = [globalThis.liveTextures, gpu.memory().handles];
  }
  const readBacks = gpu.memory().details!['readBacks']!;
  gpu.dispose();
  return {
    textures: steps.map((step) => counts[step]![0]),
    handles: steps.map((step) => counts[step]![1]),
    readBacks,
    left: globalThis.liveTextures,
  };
}
