import { ConnectionViolation, reasonCodes } from '../broker/violation.ts';

/** An error response of the data plane (AWS IoT API reference, "Publish": Errors). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** The error's type, by which the AWS SDK names the exception. */
  readonly type: string;

  constructor(status: number, type: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.type = type;
  }
}

export function invalidRequest(message: string, cause?: unknown): ApiError {
  return new ApiError(400, 'InvalidRequestException', message, { cause });
}

export function forbidden(message: string): ApiError {
  return new ApiError(403, 'ForbiddenException', message);
}

export function tooLarge(message: string): ApiError {
  return new ApiError(413, 'RequestEntityTooLargeException', message);
}

/** The error response for a message that the broker refuses. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ConnectionViolation)
    return error.code === reasonCodes.notAuthorized ? forbidden(error.message) : invalidRequest(error.message, error);
  return new ApiError(500, 'InternalFailureException', (error as Error).message, { cause: error });
}
