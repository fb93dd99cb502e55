import { decodeEnvelope, type Envelope, type RuleErrorMessage } from '../../lambdas/core/envelope.ts';
import { NeverRetry } from '../../lambdas/core/errors.ts';

/** A message as a dead-letter queue holds it. */
export interface StoredMessage {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, StoredAttribute>>;
  /** When it was sent there: milliseconds since 1970. */
  readonly sentAt: number;
}

/** A message attribute, in SQS's own shape. */
export interface StoredAttribute {
  readonly DataType: string;
  readonly StringValue?: string | undefined;
  readonly BinaryValue?: Uint8Array | undefined;
}

/** The code of a letter that says none: SQS moved it after too many receives, or somebody else sent it. */
export const NO_CODE = 'NONE';

/** A dead letter as its reader sees it. All texts are a device's, a sink's or a stranger's: escape them before a terminal. */
export interface Letter {
  /** The queue's own id. */
  readonly messageId: string;
  /** The message's id: the attribute MESSAGE_ID, else the envelope's. */
  readonly id: string;
  readonly code: string;
  readonly error: string;
  readonly stage: string | undefined;
  /** The task that gave it up, where it says. */
  readonly task: string | undefined;
  /** Name of the rule that took its message, or that gave it up. */
  readonly rule: string | undefined;
  /** Retries that it has had. */
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  /** Undefined when the body is no envelope. */
  readonly envelope: Envelope | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Reads a dead letter; whatever the queue holds becomes one. */
export function readLetter({ messageId, body, attributes, sentAt }: StoredMessage): Letter {
  const text = (name: string) => attributes[name]?.StringValue;
  const envelope = tryDecode(body, { messageId, sentAt });
  const ruleError = readRuleError(body);
  const failures = ruleError?.failures.map(({ failedAction, failedResource, errorMessage }) => {
    return `${failedAction} ${failedResource}: ${errorMessage}`;
  });
  return {
    messageId,
    id: text('MESSAGE_ID') ?? envelope?.id ?? messageId,
    code: text('ERROR_CODE') ?? (ruleError === undefined ? NO_CODE : 'RULE_ACTION_FAILED'),
    error: text('ERROR_MESSAGE') ?? failures?.join('; ') ?? 'it says no reason',
    stage: text('STAGE'),
    task: text('TASK'),
    rule: ruleError?.ruleName ?? RULE_ARN.exec(text('RULE_ARN') ?? '')?.[1],
    attempts: Number(text('RETRY_ATTEMPTS') ?? 0),
    firstSeen: Number(text('FIRST_SEEN') ?? sentAt),
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
 * Whether a letter is a task's own, in a queue that several tasks may share: by its rule, since tasks of two stacks may have
 * one name. One that tells no rule goes by the task's name; one that tells neither is everybody's.
 */
export function isLetterOf({ name, rules }: { name: string; rules: readonly string[] }, letter: Letter): boolean {
  const { task, rule } = letter;
  if (task !== undefined && task !== name) return false;
  if (rule === undefined || rules.includes(rule)) return true;
  // Of a rule that the task does not have any more; in one stack no other task has the name.
  const stack = stackPart(rule);
  return task !== undefined && stack !== '' && rules.some((own) => stackPart(own) === stack);
}

const RULE_ARN = /^arn:[^:]*:iot:[^:]*:[^:]*:rule\/(.+)$/;

// CloudFormation names a rule <stack>_<logical id>_<random>, and neither of the last two has a `_`.
function stackPart(rule: string): string {
  return rule.split('_').slice(0, -2).join('_');
}

/** How many letters there are of each code, most frequent first. */
export function countByCode(letters: Iterable<{ readonly code: string }>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of letters) counts[code] = (counts[code] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([, a], [, b]) => b - a));
}

/** A payload for reading: JSON where it is, else text, else base64. */
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

function tryDecode(body: string, received: { messageId: string; sentAt: number }): Envelope | undefined {
  try {
    return decodeEnvelope(body, received);
  } catch (error) {
    if (error instanceof NeverRetry) return undefined;
    throw error;
  }
}

function readRuleError(body: string): RuleErrorMessage | undefined {
  try {
    const value = JSON.parse(body) as Partial<RuleErrorMessage> | null;
    const isOne = typeof value?.base64OriginalPayload === 'string' && Array.isArray(value.failures);
    return isOne ? (value as RuleErrorMessage) : undefined;
  } catch {
    return undefined;
  }
}
