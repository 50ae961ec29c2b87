import { describeNetworks } from './networks.ts';

await describeNetworks({ backend: 'js', precision: 'strict', large: false });
