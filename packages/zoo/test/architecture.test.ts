// What defineArchitecture and the networks it gives refuse, and what those keep.

import { js } from '@convoke/backend-js';
import { createMeta, register, use } from '@convoke/core';
import { Linear } from '@convoke/nn';
import { beforeAll, describe, expect, it } from 'vitest';

import {
  createModel,
  defineArchitecture,
  listModels,
  oneOf,
  type Definition,
} from '../src/index.ts';

const backend = createMeta();
beforeAll(async () => {
  register(js);
  await use('js');
});

interface Options {
  readonly bias: 'with' | 'without';
}

const sound: Definition<'tiny', Options> & {
  readonly options: NonNullable<Definition<'tiny', Options>['options']>;
} = {
  family: 'small',
  paper: 'none',
  variants: { tiny: { params: 6, macs: 4 } },
  input: { channels: 1, size: 2 },
  head: 'fc',
  stem: 'fc',
  options: { bias: oneOf('with', 'without') },
  build: (_, { numClasses, bias = 'with' }) =>
    new Linear({ inFeatures: 2, outFeatures: numClasses, bias: bias === 'with' }),
};
const two = { numClasses: 2, inChannels: 1 };

/** What is said of the definition with some of it changed. */
function refusal(change: object): string {
  try {
    defineArchitecture({ ...sound, ...change } as typeof sound);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('defineArchitecture', () => {
  it('takes a sound definition', () => {
    const { names, build } = defineArchitecture(sound);
    expect(names).toEqual(['tiny']);
    expect(build('tiny', two).parameters()).toHaveLength(2);
    expect(build('tiny', { ...two, bias: 'without' }).parameters()).toHaveLength(1);
  });

  it.each([
    [{ family: '' }, /^defineArchitecture: family must be a text, got ''/],
    [{ paper: undefined }, /small: paper must be a text, got undefined/],
    [{ head: 3 }, /head must be a text, got 3/],
    [{ stem: '' }, /stem must be a text/],
    [{ input: undefined }, /input must be \{ channels, size \}, got undefined/],
    [{ input: { channels: 0, size: 2 } }, /input\.channels must be a whole number .*, got 0/],
    [
      { input: { channels: 1, size: 2, minSize: 3 } },
      /input\.minSize .*at most its size of 2, got 3/,
    ],
    [{ numClasses: 1.5 }, /numClasses must be a whole number of at least 1, got 1\.5/],
    [{ build: null }, /build must be a function, got null/],
    [{ variants: {} }, /variants must be/],
    [{ variants: undefined }, /variants must be .*, got undefined/],
    [{ variants: { tiny: { params: -1, macs: 4 } } }, /variants\.tiny\.params .*, got -1/],
    [{ variants: { tiny: { params: 6 } } }, /variants\.tiny\.macs .*, got undefined/],
    [
      { variants: { tiny: { params: 6, macs: 4, effectiveParams: 7 } } },
      /variants\.tiny\.effectiveParams must be at most its params of 6, got 7/,
    ],
    [
      { variants: { tiny: { params: 6, macs: 4, input: { channels: 1, size: 0 } } } },
      /variants\.tiny\.input\.size .*, got 0/,
    ],
    [
      { aliases: { little: 'tinny' } },
      /aliases\.little must be one of its networks, tiny, got 'tinny'/,
    ],
    [{ aliases: { tiny: 'tiny' } }, /aliases\.tiny must be a name that no network has/],
  ])('says what is wrong with %o', (change, message) => {
    expect(refusal(change)).toMatch(message);
  });
});

describe('a network', () => {
  const { build } = defineArchitecture(sound);

  it('refuses options it does not know, and names those it does', () => {
    expect(() => build('tiny', { ...two, bais: 'with' } as typeof two)).toThrow(
      "tiny has no option 'bais'; it takes numClasses, inChannels, generator, bias",
    );
    expect(() => build('tiny', { ...two, toString: 1 } as unknown as typeof two)).toThrow(
      /no option 'toString'/,
    );
  });

  it('refuses values that an option cannot have', () => {
    const bias = 'some' as 'with';
    expect(() => build('tiny', { ...two, bias })).toThrow(
      "tiny: bias must be one of 'with', 'without', got 'some'",
    );
  });

  it('has the default where an option is undefined', () => {
    const options = { ...two, bias: undefined } as unknown as typeof two;
    expect(build('tiny', options).parameters()).toHaveLength(2);
  });

  it('refuses the name of another', () => {
    expect(() => build('large' as 'tiny', two)).toThrow(
      "small has no network 'large'; it has tiny",
    );
  });
});

describe('createModel', () => {
  it('gives networks that give back all that they took', async () => {
    const left: string[] = [];
    for (const name of await listModels()) {
      const meta = createMeta();
      const model = await createModel(name, { backend: meta });
      expect(meta.memory().handles).toBeGreaterThan(0);
      model.dispose();
      if (meta.memory().handles !== 0) left.push(name);
    }
    expect(left).toEqual([]);
  });

  it.each([
    ['mobilenet_v2', { widht: 0.5 }, /no option 'widht'; .*generator, width$/],
    ['mobilenet_v2', { width: 0 }, /width must be a number above 0, got 0/],
    ['mobilenet_v1', { width: '1' }, /width must be a number above 0, got '1'/],
    ['resnet20_cifar', { shortcut: 'C' }, /one of 'A', 'A-centred', 'B', got 'C'/],
    ['resnet50', { stridedConv: 3 }, /one of '3x3', '1x1', got 3/],
    ['googlenet', { auxiliary: 'no' }, /auxiliary must be true or false, got 'no'/],
    ['inception_v3', { transformInput: 1 }, /transformInput must be true or false, got 1/],
    ['inception_v4', { dropout: -0.5 }, /dropout must be a number from 0 to 1, got -0.5/],
    ['inception_resnet_v2', { dropout: Number.NaN }, /dropout .*, got NaN/],
    [
      'vgg11',
      { width: 1 },
      /vgg11 has no option 'width'; it takes numClasses, inChannels, generator$/,
    ],
  ])('%s refuses %o', async (name, options, message) => {
    await expect(createModel(name, { backend, ...options })).rejects.toThrow(message);
  });
});
