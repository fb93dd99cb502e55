export type { BatchPush, BufferBinding, BufferConfig, IBuffer } from './buffer/buffer.ts';
export { NoBuffer, type NoBufferProps } from './buffer/no-buffer.ts';
export { QueueBuffer, type QueueBufferProps } from './buffer/queue-buffer.ts';
export { StreamBuffer, type StreamBufferProps } from './buffer/stream-buffer.ts';
export { RocketMqConnector, type RocketMqConnectorProps } from './connector/rocketmq-connector.ts';
export { KinesisSink, type KinesisSinkProps } from './deliver/kinesis-sink.ts';
export {
  RocketMqMapping,
  type RocketMqMessageProps,
  RocketMqSink,
  type RocketMqSinkProps,
} from './deliver/rocketmq-sink.ts';
export type { ISink, SinkConfig } from './deliver/sink.ts';
export {
  type FilteredHook,
  type Hook,
  type HookEvent,
  type Hooks,
  RocketMqHooks,
  type RocketMqHooksProps,
} from './hooks.ts';
export type { AlarmOptions } from './observe.ts';
export * from './retry.ts';
export type { Route, RouteOptions } from './route.ts';
export { ClientEventsSource, type ClientEventsSourceProps } from './source/client-events-source.ts';
export { IotTopicSource, type IotTopicSourceProps } from './source/iot-topic-source.ts';
export type { ISource, SourceConfig, SourceTarget } from './source/source.ts';
export { OutflowTask } from './task.ts';
export type { OutflowTaskProps } from './task-props.ts';
