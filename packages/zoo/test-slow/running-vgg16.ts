// A process that builds VGG-16, loads its weights from a file, runs it once, and prints the most memory it took, in bytes.

import { js } from '@convoke/backend-js';
import { workers } from '@convoke/backend-workers';
import { register, use } from '@convoke/core';
import { loadWeights } from '@convoke/nn/node';

import { runGoldenCase } from '../src/golden.ts';
import { createModel } from '../src/index.ts';
import { goldenOf, smallestOf } from '../test/fixtures.ts';

const [path, backend] = process.argv.slice(2);
register(js);
register(workers);
const current = await use(backend!);
const model = (await createModel('vgg16')).eval();
const { loaded } = await loadWeights(path!, model);
const [golden] = smallestOf(goldenOf('vgg16')!).cases;
const deviations = await runGoldenCase(model, golden!, 'fast');
const peak = process.resourceUsage().maxRSS * 1024;
const used = Math.max(...deviations.map(({ error, tolerance }) => error / tolerance));
process.stdout.write(JSON.stringify({ peak, loaded: loaded.length, used }));
current.dispose();
