// Weight files as bytes in, named typed arrays out, and back. Runs anywhere; files on disk are in `@convoke/weights/node`.

export { WeightsError, type WeightsErrorCode } from './errors.ts';
export {
  parseSafetensors,
  serializeSafetensors,
  type ParseOptions,
  type Safetensors,
} from './formats/safetensors.ts';
export {
  toHostTensor,
  toHostTensors,
  type HostTensor,
  type StoredData,
  type StoredDtype,
  type StoredTensor,
} from './tensors.ts';
