import { describeNetworks } from './networks.ts';

await describeNetworks({ backend: 'workers', precision: 'fast', large: true });
