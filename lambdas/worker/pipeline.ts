import { openEnvelope } from '../core/client-event.ts';
import { decodeEnvelope, type Envelope } from '../core/envelope.ts';
import type { Stage } from '../core/errors.ts';
import { eventView, readBody } from '../core/event.ts';
import { compilePattern } from '../core/pattern/pattern.ts';
import type { MqttRecord } from '../core/record.ts';
import { ruleOutputView } from '../core/rule-output.ts';
import type { TaskSpec } from '../core/spec.ts';
import type { Routes } from '../step/route.ts';
import type { BufferMessage } from './worker.ts';

/** How far a message has come, known also when a stage throws. */
export interface Progress<Request> {
  stage: Stage;
  envelope?: Envelope;
  /** What it is delivered as: one request, or one per child once it is split or takes several routes; always the same for the same envelope. */
  requests?: readonly Request[];
  /** What each request was made of. */
  records?: readonly MqttRecord[];
}

/** The pure stages as one function: true when the message is to be delivered, false when nothing of it passes. @throws NeverRetry */
export type Stages<Request> = (message: BufferMessage, at: Progress<Request>) => boolean;

/** Compiles decode → filter → transform → render. */
export function compileStages<Request>(spec: TaskSpec, routes: Routes<Request>): Stages<Request> {
  const pattern = spec.filter === undefined ? undefined : compilePattern(spec.filter);
  const toEvent = eventView(spec.source);
  const toRuleOutput = ruleOutputView(spec.source);
  return (message, at) => {
    at.envelope = decodeEnvelope(message.body, { messageId: message.id, sentAt: message.sentAt });
    const { envelope, records } = openEnvelope(at.envelope, spec.source);
    at.envelope = envelope;
    const requests: Request[] = [];
    const sources: MqttRecord[] = [];
    for (const record of records) {
      if (spec.validatePayload)
        void readBody(record, record.clientEvent === undefined ? spec.source.dataFormat : 'json');
      at.stage = 'filter';
      if (pattern !== undefined && !pattern.matches(toEvent(record))) continue;
      at.stage = 'transform';
      const ways = routes(toEvent(record));
      at.stage = 'render';
      for (const render of ways) {
        requests.push(render(toRuleOutput(record), toEvent(record)));
        sources.push(record);
      }
    }
    at.requests = requests;
    at.records = sources;
    return requests.length > 0;
  };
}
