import { describeNetworks } from './networks.ts';

await describeNetworks({ backend: 'workers', precision: 'strict', large: true });
