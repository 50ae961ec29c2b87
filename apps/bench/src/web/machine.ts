// What a page may know of the device it runs on.

export interface BrowserMachine {
  readonly browser: string;
  readonly platform: string;
  readonly cores: number;
  /** As the browser rounds it; null where it does not tell. */
  readonly memoryGiB: number | null;
  /** What draws, as WebGL names it; null where there is no WebGL. */
  readonly gpu: string | null;
  /** Whether threads may share memory. */
  readonly isolated: boolean;
}

interface Hints {
  readonly deviceMemory?: number;
  readonly userAgentData?: {
    readonly platform: string;
    readonly brands: readonly { readonly brand: string; readonly version: string }[];
  };
}

function gpuName(): string | null {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) return null;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return name;
}

export async function browserMachine(): Promise<BrowserMachine> {
  const { deviceMemory, userAgentData } = navigator as Navigator & Hints;
  // Among the brands is one that stands for nothing, to keep readers of the list honest.
  const brand = userAgentData?.brands.find(({ brand: name }) => !/not.*brand/i.test(name));
  return {
    browser: brand ? `${brand.brand} ${brand.version}` : navigator.userAgent,
    platform: userAgentData?.platform ?? 'unknown platform',
    cores: navigator.hardwareConcurrency,
    memoryGiB: deviceMemory ?? null,
    gpu: gpuName(),
    isolated: crossOriginIsolated,
  };
}

export function machineFacts(machine: BrowserMachine): string[] {
  const { browser, platform, cores, memoryGiB, gpu, isolated } = machine;
  return [
    browser,
    platform,
    `${cores} core${cores === 1 ? '' : 's'}`,
    ...(memoryGiB === null ? [] : [`${memoryGiB} GiB or more`]),
    gpu === null ? 'no WebGL' : `GPU: ${gpu}`,
    isolated ? 'threads share memory' : 'no shared memory (page not isolated): one thread',
  ];
}
