import * as z from 'zod';
import { decodeEnvelope, type Envelope } from '../../lambdas/core/envelope.ts';
import { DEAD_LETTER_CODES, NeverRetry } from '../../lambdas/core/errors.ts';

/** A message as a dead-letter queue holds it. */
export interface StoredMessage {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, StoredAttribute>>;
  /** When it was sent to the queue: milliseconds since 1970. */
  readonly sentAt: number;
}

/** A message attribute, in SQS's own shape. */
export interface StoredAttribute {
  readonly DataType: string;
  readonly StringValue?: string | undefined;
  readonly BinaryValue?: Uint8Array | undefined;
}

/** The code of a dead letter without one: SQS moved it after too many receives. */
export const NO_CODE = 'NONE';
/** The code of a message that is no dead letter: an unknown sender sent it. It is shown, and never redriven. */
export const UNKNOWN_CODE = 'UNKNOWN';

/** Every code that a dead letter may have. */
export const CODES: readonly string[] = [...DEAD_LETTER_CODES, NO_CODE, UNKNOWN_CODE];

/** A dead letter, decoded. All texts come from devices, sinks or unknown senders: escape them before printing. */
export interface DeadLetter {
  /** SQS's message id. */
  readonly messageId: string;
  /** The message's id: the attribute MESSAGE_ID, else the envelope's. */
  readonly id: string;
  readonly code: string;
  readonly error: string;
  readonly stage: string | undefined;
  /** The task that dead-lettered the message; undefined if the message does not name one. */
  readonly task: string | undefined;
  /** Name of the rule that forwarded the message, or whose action failed. */
  readonly rule: string | undefined;
  /** Number of retries before the message was dead-lettered. */
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  /** Undefined if the body is not an envelope. */
  readonly envelope: Envelope | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Decodes a message of a dead-letter queue. Any message becomes a dead letter. */
export function readDeadLetter({ messageId, body, attributes, sentAt }: StoredMessage): DeadLetter {
  const text = (name: string) => attributes[name]?.StringValue;
  const envelope = tryDecode(body, { messageId, sentAt });
  const ruleError = readRuleError(body);
  const failures = ruleError?.failures.map(({ failedAction, failedResource, errorMessage }) => {
    return `${failedAction} ${failedResource}: ${errorMessage}`;
  });
  const isUnknown = envelope === undefined && ruleError === undefined;
  return {
    messageId,
    id: text('MESSAGE_ID') ?? envelope?.id ?? messageId,
    code: text('ERROR_CODE') ?? (isUnknown ? UNKNOWN_CODE : ruleError === undefined ? NO_CODE : 'RULE_ACTION_FAILED'),
    error:
      text('ERROR_MESSAGE') ?? failures?.join('; ') ?? (isUnknown ? 'not a message of Outflow' : 'no reason given'),
    stage: text('STAGE'),
    task: text('TASK'),
    rule: ruleError?.ruleName ?? RULE_ARN.exec(text('RULE_ARN') ?? '')?.[1],
    attempts: numberOr(0, text('RETRY_ATTEMPTS')),
    firstSeen: numberOr(sentAt, text('FIRST_SEEN')),
    envelope,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, { StringValue, BinaryValue }]) => [
        name,
        StringValue ?? Buffer.from(BinaryValue ?? []).toString('base64'),
      ]),
    ),
    body,
  };
}

/**
 * Whether a dead letter belongs to a task, in a queue that several tasks may share. The rule decides, since tasks of two stacks
 * may have the same name. A dead letter without a rule belongs to the task of its TASK attribute; one without either belongs to
 * every task.
 */
export function belongsTo(
  { name, rules }: { name: string; rules: readonly string[] },
  deadLetter: DeadLetter,
): boolean {
  const { task, rule } = deadLetter;
  if (task !== undefined && task !== name) return false;
  if (rule === undefined || rules.includes(rule)) return true;
  // The rule no longer exists. In the same stack no other task has this name.
  const stack = stackPart(rule);
  return task !== undefined && stack !== '' && rules.some((current) => stackPart(current) === stack);
}

const RULE_ARN = /^arn:[^:]*:iot:[^:]*:[^:]*:rule\/(.+)$/;

// CloudFormation names a rule <stack>_<logical id>_<random>, and neither of the last two has a `_`.
function stackPart(rule: string): string {
  return rule.split('_').slice(0, -2).join('_');
}

/** Number of dead letters of each code, most frequent first. */
export function countByCode(deadLetters: Iterable<{ readonly code: string }>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of deadLetters) counts[code] = (counts[code] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([, a], [, b]) => b - a));
}

/** A payload for display: its JSON value if it is JSON, else its text if it is UTF-8, else base64. */
export function showPayload(payload: string): { json: unknown } | { text: string } | { base64: string } {
  const bytes = Buffer.from(payload, 'base64');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { base64: payload };
  }
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { text };
  }
}

function numberOr(otherwise: number, text: string | undefined): number {
  const value = Number(text ?? Number.NaN);
  return Number.isFinite(value) ? value : otherwise;
}

function tryDecode(body: string, received: { messageId: string; sentAt: number }): Envelope | undefined {
  try {
    return decodeEnvelope(body, received);
  } catch (error) {
    if (error instanceof NeverRetry) return undefined;
    throw error;
  }
}

/** The message of a rule's error action (AWS IoT Core, "Error handling (error action)"). Only the fields that are shown. */
const ruleErrorMessage = z.object({
  ruleName: z.string().optional(),
  base64OriginalPayload: z.string(),
  failures: z.array(z.object({ failedAction: z.string(), failedResource: z.string(), errorMessage: z.string() })),
});

function readRuleError(body: string): z.output<typeof ruleErrorMessage> | undefined {
  try {
    return ruleErrorMessage.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}
