export type SqsErrorCode =
  | 'InvalidMessageContents'
  | 'InvalidParameterValue'
  | 'MessageNotInflight'
  | 'MissingParameter'
  | 'QueueDoesNotExist'
  | 'ReceiptHandleIsInvalid';

/** What SQS refuses. `name` is SQS's error code, as on the errors of the AWS SDK. */
export class SqsError extends Error {
  override readonly name: SqsErrorCode;

  constructor(code: SqsErrorCode, message: string) {
    super(message);
    this.name = code;
  }
}

/** Refuses anything but a whole number from `min` to `max`. */
export function checkWhole(parameter: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new SqsError(
    'InvalidParameterValue',
    `${parameter} is ${value}; expected a whole number from ${min} to ${max}`,
  );
}
