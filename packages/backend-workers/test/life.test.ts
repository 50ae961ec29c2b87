import { spawn } from 'node:child_process';

import { describe, expect, test } from 'vitest';

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

const engineUrl = new URL('../src/engine.ts', import.meta.url).href;

/** Runs a script in a process of its own until that ends by itself. */
function runScript(script: string, flags: readonly string[] = []): Promise<Outcome> {
  const source = `import { createEngine } from '${engineUrl}';\n${script}`;
  const child = spawn(
    process.execPath,
    ['--conditions=@convoke/source', ...flags, '--input-type=module', '-e', source],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } },
  );
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, output: output.trim() }));
  });
}

const work = `
const block = engine.allocate(2 ** 25);
for (let i = 0; i < 30; i++) {
  engine.emit('fill', 64, [block.address, 2 ** 23, i, 2 ** 17]);
  engine.commit();
}`;

describe.each(['{ threads: 2 }', '{ sharedMemory: false }'])(
  'a script with an engine of %s',
  (options) => {
    test('ends by itself though it never disposes of the engine', async () => {
      const { code, output } = await runScript(`
      const engine = await createEngine(${options});
      const block = engine.upload(new Uint8Array([7]));
      console.log((await engine.read(block))[0]);`);
      expect(output).toBe('7');
      expect(code).toBe(0);
    });

    test('ends although work is under way that nobody waits for', async () => {
      const { code, output } = await runScript(`
      const engine = await createEngine(${options});
      ${work}
      console.log('done');`);
      expect(output).toBe('done');
      expect(code).toBe(0);
    });

    test('does not end before its pending reads are answered', async () => {
      const { code, output } = await runScript(`
      const engine = await createEngine(${options});
      ${work}
      void engine.read(block, 4).then((bytes) => console.log('read', bytes[0]));
      void engine.sync().then(() => console.log('synced'));`);
      expect(output).toBe('read 29\nsynced');
      expect(code).toBe(0);
    });

    test('ends after dispose with nothing left running', async () => {
      const { code, output } = await runScript(`
      const engine = await createEngine(${options});
      ${work}
      engine.read(block, 4).catch((error) => console.log(error.name));
      engine.dispose();`);
      expect(output).toBe('DisposedError');
      expect(code).toBe(0);
    });
  },
);

describe("Node's permission model", () => {
  test('without --allow-worker is the reason that probe and createEngine give', async () => {
    const { output } = await runScript(
      `import { probe } from '${new URL('../src/probe.ts', import.meta.url).href}';
      console.log(JSON.stringify(await probe()));
      await createEngine().catch((error) => console.log(error.code, error.message));`,
      ['--permission', '--allow-fs-read=*'],
    );
    expect(output).toMatch(/"available":false,"reason":"Node's permission model.*--allow-worker"/);
    expect(output).toMatch(/backend-unavailable workers: Node's permission model/);
  });
});
