import { decodeEnvelope, type Envelope } from './core/envelope.ts';
import type { Stage } from './core/errors.ts';
import { eventView } from './core/event.ts';
import { compilePattern } from './core/pattern/pattern.ts';
import { MqttRecord } from './core/record.ts';
import { ruleOutputView } from './core/rule-output.ts';
import type { TaskSpec } from './core/spec.ts';
import type { Render } from './deliver/sink.ts';
import type { BufferMessage } from './worker.ts';

/** How far a message has come, known also when a stage throws. */
export interface Progress<Request> {
  stage: Stage;
  envelope?: Envelope;
  /** What it is delivered as: one request, or one per child once a transformation splits it; always the same for the same envelope. */
  requests?: readonly Request[];
}

/** The pure stages as one function: true when the message is to be delivered, false when the filter dropped it. @throws NeverRetry */
export type Stages<Request> = (message: BufferMessage, at: Progress<Request>) => boolean;

/** Compiles decode → filter → render. */
export function compileStages<Request>(spec: TaskSpec, render: Render<Request>): Stages<Request> {
  const pattern = spec.filter === undefined ? undefined : compilePattern(spec.filter);
  const toEvent = eventView(spec.source);
  const toRuleOutput = ruleOutputView(spec.source);
  return (message, at) => {
    const envelope = decodeEnvelope(message.body, { messageId: message.id, sentAt: message.sentAt });
    at.envelope = envelope;
    const record = new MqttRecord(envelope);
    if (spec.validatePayload) void record.json;
    at.stage = 'filter';
    if (pattern !== undefined && !pattern.matches(toEvent(record))) return false;
    at.stage = 'render';
    at.requests = [render(toRuleOutput(record), toEvent(record))];
    return true;
  };
}
