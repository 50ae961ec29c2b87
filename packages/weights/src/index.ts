// Weight files in, named typed arrays out, and back. Runs anywhere; files on disk are in `@convoke/weights/node`.

export { WeightsError, type WeightsErrorCode } from './errors.ts';
export { serializeNpz } from './formats/npz.ts';
export {
  parseSafetensors,
  serializeSafetensors,
  type ParseOptions,
  type Safetensors,
} from './formats/safetensors.ts';
export {
  formatMapReport,
  mapWeights,
  type MappableContent,
  type MapOptions,
  type MappedWeights,
} from './mapping.ts';
export {
  planMapping,
  type MappingPlan,
  type MappingStep,
  type MapReport,
  type Mismatch,
  type NamedShape,
  type NamePatterns,
  type PlanOptions,
  type Rename,
} from './mapping/plan.ts';
export {
  openSafetensors,
  openWeights,
  readWeights,
  type OpenWeightsOptions,
  type ReadWeightsOptions,
  type WeightsContent,
} from './read-weights.ts';
export type { SourceOptions, WeightsSource } from './sources/open.ts';
export type { ByteSource } from './sources/source.ts';
export {
  toHostTensor,
  toHostTensors,
  type HostTensor,
  type StoredData,
  type StoredDtype,
  type StoredTensor,
} from './tensors.ts';
export {
  WeightsFile,
  type SkippedEntry,
  type TensorEntry,
  type WeightsFormat,
  type WeightsLayout,
} from './weights-file.ts';
