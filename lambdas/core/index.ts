export { decodeEnvelope, ENVELOPE_VERSION, type Envelope } from './envelope.ts';
export {
  type DeadLetterCode,
  InvalidOptionError,
  InvalidPatternError,
  InvalidTemplateError,
  NeverRetry,
  RetryLater,
  type Stage,
  StopTask,
} from './errors.ts';
export type { ClientEventData, DataFormat, EventData, MqttEvent, PublisherDefaults } from './event.ts';
export { ExactNumber } from './json.ts';
export { compilePattern, type Pattern } from './pattern/pattern.ts';
export type { ClientRuleOutput, RuleOutput } from './rule-output.ts';
export { compileTemplate, type MissingVariable, type Template, type TemplateOptions } from './template/template.ts';
