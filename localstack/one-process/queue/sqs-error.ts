export type SqsErrorCode =
  | 'InvalidMessageContents'
  | 'InvalidParameterValue'
  | 'MessageNotInflight'
  | 'MissingParameter'
  | 'QueueDoesNotExist'
  | 'ReceiptHandleIsInvalid';

/** An error of the SQS API. `name` is SQS's error code, as on errors of the AWS SDK. */
export class SqsError extends Error {
  override readonly name: SqsErrorCode;

  constructor(code: SqsErrorCode, message: string) {
    super(message);
    this.name = code;
  }
}

/** @throws SqsError unless the value is a whole number from `min` to `max`. */
export function checkWhole(parameter: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new SqsError(
    'InvalidParameterValue',
    `${parameter}: got ${value}; expected a whole number from ${min} to ${max}`,
  );
}
