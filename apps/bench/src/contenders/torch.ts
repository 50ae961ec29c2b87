// PyTorch as a contender: a process of its own, spoken to as peers/torch_contender.py tells.

import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';

import { NO_ZOO, shapesOf, type Case, type Contender, type Task } from '../contender.ts';
import { elements, gradientOfStep } from '../networks/network.ts';
import { blocks } from '../networks/resnet20.ts';
import { peerFile } from '../peers.ts';

/** Debian's python3-torch belongs to /usr/bin/python3, which need not be the first in PATH. */
const pythons = ['python3', '/usr/bin/python3', 'python'];
const LOOK = 'import importlib.util, sys; sys.exit(0 if importlib.util.find_spec("torch") else 1)';

/** A Python that has torch. */
export function findPython(): string | undefined {
  return pythons.find((python) => spawnSync(python, ['-c', LOOK]).status === 0);
}

interface Answer {
  readonly error?: string;
  /** Length of the float32 values behind the line. */
  readonly bytes?: number;
  readonly version?: string;
  readonly threads?: number;
  readonly milliseconds?: number;
}

/** Float32 values in the machine's byte order, which is the other process's too. */
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Requests and answers by turns. */
class Conversation {
  readonly #child: ChildProcessWithoutNullStreams;
  #received: Buffer = Buffer.alloc(0);
  #complaints = '';
  #answered: ((buffer: Buffer) => boolean) | null = null;
  #failed: ((error: Error) => void) | null = null;

  constructor(python: string) {
    this.#child = spawn(python, [peerFile('torch_contender.py')]);
    const end = (reason: string): void => {
      this.#failed?.(new Error(`torch: ${python} ${reason}\n${this.#complaints}`.trim()));
    };
    this.#child.on('error', (error) => end(`could not be started: ${error.message}`));
    this.#child.on('exit', (code) => end(`ended with status ${code}`));
    // A write to a process that has ended; `exit` tells more.
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#complaints += chunk.toString()));
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      if (this.#answered?.(this.#received)) this.#received = Buffer.alloc(0);
    });
  }

  ask(
    request: object,
    inputs: readonly Float32Array[] = [],
  ): Promise<{ answer: Answer; values: Float32Array }> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.#answered = (buffer) => {
        const line = buffer.indexOf('\n');
        if (line < 0) return false;
        const answer = JSON.parse(buffer.toString('utf8', 0, line)) as Answer;
        const end = line + 1 + (answer.bytes ?? 0);
        if (buffer.length < end) return false;
        if (answer.error === undefined) {
          const data = new Uint8Array(buffer.subarray(line + 1, end));
          resolve({ answer, values: new Float32Array(data.buffer) });
        } else {
          reject(new Error(`torch: ${answer.error}`));
        }
        return true;
      };
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
      for (const values of inputs) this.#child.stdin.write(bytesOf(values));
    });
  }

  end(): Promise<void> {
    this.#failed = null;
    return new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.stdin.end();
    });
  }
}

/** A result as the reference has it: of training, torch gives the parameters after the step. */
function ordered({ work, inputs }: Case, values: Float32Array): Float32Array {
  if (work.kind !== 'training') return values;
  const after = new Map<string, Float32Array>();
  let at = 0;
  for (const [name, shape] of Object.entries(work.network.parameters)) {
    after.set(name, values.subarray(at, (at += elements(shape))));
  }
  return gradientOfStep(work.network, inputs, (name) => after.get(name)!);
}

async function taskOf(
  conversation: Conversation,
  task: number,
  benchCase: Case,
): Promise<Task | { readonly unsupported: string }> {
  const { work } = benchCase;
  if (work.kind === 'inference') return { unsupported: NO_ZOO };
  const inputs = Object.entries(shapesOf(work)).map(([name, shape]) => ({ name, shape }));
  const description =
    work.kind === 'training'
      ? {
          kind: work.kind,
          network: work.network.name,
          learningRate: work.network.learningRate,
          blocks,
        }
      : work;
  await conversation.ask(
    { command: 'prepare', task, work: description, inputs },
    inputs.map(({ name }) => benchCase.inputs.get(name)!),
  );
  const time = async (runs: number): Promise<number> => {
    const { answer } = await conversation.ask({ command: 'time', task, runs });
    return answer.milliseconds!;
  };
  return {
    time,
    async run() {
      await time(1);
    },
    async result() {
      const { values } = await conversation.ask({ command: 'result', task });
      return ordered(benchCase, values);
    },
    async dispose() {
      await conversation.ask({ command: 'dispose', task });
    },
  };
}

export async function torch(threads: number): Promise<Contender> {
  const conversation = new Conversation(findPython()!);
  const { answer } = await conversation.ask({ command: 'hello', threads });
  let tasks = 0;
  return {
    name: 'torch',
    version: answer.version!,
    threads: answer.threads!,
    prepare: (benchCase) => taskOf(conversation, tasks++, benchCase),
    close: () => conversation.end(),
  };
}
