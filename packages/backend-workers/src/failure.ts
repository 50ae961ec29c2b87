// What kernels report when an op fails only once its data is seen. Codes are those given to `fail` in assembly.

/** Codes of failures; 0 means none. */
const failureCodes = {
  /** An index lies outside the axis it selects from. The value is the index. */
  indexOutOfRange: 1,
} as const;

export type FailureCode = keyof typeof failureCodes;

/** Why a command failed. */
export interface Failure {
  /** Where in the command stream: compare with the range that `Engine.commit` returned. */
  readonly sequence: number;
  readonly kernel: string;
  readonly code: FailureCode | 'unknown';
  readonly value: number;
}

export function failureCode(number: number): FailureCode | 'unknown' {
  for (const [name, code] of Object.entries(failureCodes)) {
    if (code === number) return name as FailureCode;
  }
  return 'unknown';
}
