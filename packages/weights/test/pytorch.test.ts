import { existsSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { openWeights, readWeights } from '../src/node.ts';
import { expectClose, fixturePath, rejection, wave } from './fixtures.ts';

const made = (name: string): string => fixturePath(`made/${name}`);
const namesOf = (skipped: readonly { name: string }[]): string[] => skipped.map(({ name }) => name);

describe('a PyTorch checkpoint', () => {
  it.each([
    'protocol4.pth',
    'protocol5.pth',
    'protocol4_legacy.pth',
    'deflated.pth',
    'big_endian.pth',
    'deep.pth',
    'evil.pth',
  ])('is read from %s', async (name) => {
    const { tensors, format } = await readWeights(made(name));
    expect(format).toBe('pytorch');
    expect([...tensors.keys()]).toEqual(['fc.weight', 'fc.bias']);
    expect(tensors.get('fc.weight')!.shape).toEqual([3, 4]);
    expectClose(tensors.get('fc.weight')!.data, wave([3, 4], 0));
    expectClose(tensors.get('fc.bias')!.data, wave([3], 1));
  });

  it('gives the state dict under its usual key, and names the rest', async () => {
    const { tensors, skipped } = await readWeights(made('ema.pth'));
    expectClose(tensors.get('fc.bias')!.data, wave([3], 1));
    expect(namesOf(skipped)).toEqual(['model_ema', 'epoch']);
    expect(skipped[0]!.reason).toContain('has 2 tensors');
  });

  it('gives another state dict by its key', async () => {
    const { tensors } = await readWeights(made('ema.pth'), { key: 'model_ema' });
    expectClose(tensors.get('fc.bias')!.data, wave([3], 3));
    const deep = await readWeights(made('deep.pth'), { key: 'trainer.net.v1.weights' });
    expect([...deep.tensors.keys()]).toEqual(['fc.weight', 'fc.bias']);
  });

  it('lists the state dicts where it cannot choose, and the keys where one is wrong', async () => {
    const several = await rejection(openWeights(made('two.pth')));
    expect(several.message).toMatch(/encoder \(2 tensors\), decoder \(2 tensors\).*`key`/);
    const wrong = await rejection(openWeights(made('two.pth'), { key: 'decode' }));
    expect(wrong.code).toBe('names');
    expect(wrong.message).toContain("'encoder', 'decoder'");
  });

  it('executes nothing: what it would call is named', async () => {
    const { skipped } = await readWeights(made('evil.pth'));
    expect(skipped).toEqual([{ name: 'evil', reason: expect.stringContaining('posix.system') }]);
    const alone = await rejection(openWeights(made('evil_alone.pth')));
    expect(alone.code).toBe('refused');
    expect(existsSync('/tmp/convoke-was-here')).toBe(false);
  });

  it('tells what to do in Python where it holds a module or a program', async () => {
    const pickled = await rejection(openWeights(fixturePath('whole_module.pth')));
    expect(pickled.code).toBe('refused');
    expect(pickled.message).toMatch(/__main__\.Tiny.*torch\.save\(model\.state_dict\(\)/);
    const script = await rejection(openWeights(fixturePath('tiny_jit.pt')));
    expect(script.code).toBe('refused');
    expect(script.message).toMatch(/TorchScript.*torch\.jit\.load/);
  });

  it('gives the tensors beside those of a type without counterpart', async () => {
    for (const name of ['complex.pth', 'complex_legacy.pth']) {
      const { tensors, skipped } = await readWeights(made(name));
      expectClose(tensors.get('b')!.data, wave([2], 0));
      expect(skipped).toEqual([{ name: 'a', reason: expect.stringContaining('Complex') }]);
    }
  });

  it('says so where it has no tensors', async () => {
    expect((await rejection(openWeights(made('none.pth')))).message).toContain(
      "its keys are 'epoch'",
    );
  });

  it('gives tensors of their own: changing one of two that share a storage leaves the other', async () => {
    const { tensors } = await readWeights(fixturePath('mixed.pth'), { stored: true });
    const before = [...(tensors.get('shared_b')!.data as Float32Array)];
    (tensors.get('shared_a')!.data as Float32Array).fill(9);
    expect([...(tensors.get('shared_b')!.data as Float32Array)]).toEqual(before);
  });

  it('names the foreign objects of a training checkpoint', async () => {
    const { skipped } = await readWeights(fixturePath('foreign_globals.pth'));
    expect(skipped.map(({ name, reason }) => `${name}: ${reason}`).join('\n')).toMatch(
      /args: .*argparse\.Namespace/,
    );
  });
});
