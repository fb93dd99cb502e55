import { openEnvelope } from './core/client-event.ts';
import { decodeEnvelope, type Envelope } from './core/envelope.ts';
import type { Stage } from './core/errors.ts';
import { eventView } from './core/event.ts';
import { compilePattern } from './core/pattern/pattern.ts';
import { ruleOutputView } from './core/rule-output.ts';
import type { TaskSpec } from './core/spec.ts';
import type { Routes } from './route.ts';
import type { BufferMessage } from './worker.ts';

/** How far a message has come, known also when a stage throws. */
export interface Progress<Request> {
  stage: Stage;
  envelope?: Envelope;
  /** What it is delivered as: one request, or one per child once it is split or takes several routes; always the same for the same envelope. */
  requests?: readonly Request[];
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
    for (const record of records) {
      if (spec.validatePayload) void record.json;
      at.stage = 'filter';
      if (pattern !== undefined && !pattern.matches(toEvent(record))) continue;
      at.stage = 'transform';
      const ways = routes(toEvent(record));
      at.stage = 'render';
      for (const render of ways) requests.push(render(toRuleOutput(record), toEvent(record)));
    }
    at.requests = requests;
    return requests.length > 0;
  };
}
