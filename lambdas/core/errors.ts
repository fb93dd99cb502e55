/** The kind of a transient failure. A custom retry policy names the kinds that it retries. */
export type FailureKind = 'throttled' | 'timeout' | 'unavailable';

/** The stage at which a record failed; the value of the dead-letter attribute STAGE. */
export type Stage = 'decode' | 'select' | 'filter' | 'transform' | 'render' | 'deliver';

/** Why a message is in the dead-letter queue; the values of the dead-letter attribute ERROR_CODE. Each code has a runbook article. */
export const DEAD_LETTER_CODES = [
  'INVALID_PAYLOAD',
  'UNSUPPORTED_ENVELOPE',
  'SELECT_FAILED',
  'TRANSFORM_FAILED',
  'TEMPLATE_VARIABLE_MISSING',
  'INVALID_TARGET',
  'NO_ROUTE',
  'MESSAGE_TOO_LARGE',
  'REJECTED',
  'EXPIRED',
  'RETRIES_EXHAUSTED',
  'RULE_ACTION_FAILED',
  'CRASHED',
] as const;
export type DeadLetterCode = (typeof DEAD_LETTER_CODES)[number];

/** A transient failure: a throttle, a timeout, or a server that is down. The record may succeed later. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';
  readonly kind: FailureKind;
  constructor(message: string, options?: { readonly cause?: unknown; readonly kind?: FailureKind }) {
    super(message, options);
    this.kind = options?.kind ?? 'unavailable';
  }
}

/** A message that can never succeed unchanged. It goes to the dead-letter queue with this code. */
export class NeverRetry extends Error {
  override readonly name = 'NeverRetry';
  readonly code: DeadLetterCode;
  constructor(code: DeadLetterCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A failure of the whole task, which opens its circuit: credentials, TLS, or a static target that is missing or forbidden. */
export class StopTask extends Error {
  override readonly name = 'StopTask';
}

/** An invalid option, found at synth or when a worker starts. Its message reads `option: got X; expected Y`. */
export class InvalidOptionError extends Error {
  override readonly name: string = 'InvalidOptionError';
  readonly option: string;
  /** @param given The value, or its description by {@link described}. */
  constructor(option: string, given: unknown, expected: string, options?: { readonly cause?: unknown }) {
    super(`${option}: got ${show(given)}; expected ${expected}`, options);
    this.option = option;
  }
}

/** An event pattern that is not valid in the language of docs/event-patterns.md. */
export class InvalidPatternError extends Error {
  override readonly name = 'InvalidPatternError';
}

/** A template that cannot be compiled. */
export class InvalidTemplateError extends Error {
  override readonly name = 'InvalidTemplateError';
}

/** Rule SQL that cannot be compiled. */
export class InvalidSqlError extends Error {
  override readonly name = 'InvalidSqlError';
}

/** A description that stands in an error where the value itself cannot; see {@link described}. */
class Description {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Describes a value that an error cannot show, such as a construct, a CDK token or a possible password.
 *
 * @param text The description, such as `a FIFO queue`; errors show it without quotes.
 */
export function described(text: string): unknown {
  return new Description(text);
}

/** Formats a value for one line of an error: JSON, a string in quotes, at most 200 characters. */
export function show(value: unknown): string {
  if (value instanceof Description) return value.text;
  const text = typeof value === 'string' ? `'${value}'` : (safeJson(value) ?? String(value));
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function safeJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
