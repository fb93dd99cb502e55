export type { FailureKind } from '../lambdas/core/errors.ts';
export type { DataFormat, PublisherDefaults } from '../lambdas/core/event.ts';
export type { ClientEventName } from '../lambdas/core/event-type.ts';
export type { MetricName } from '../lambdas/core/metrics.ts';
export type {
  EventPattern,
  FieldConditions,
  FieldPatterns,
  PatternOperator,
} from '../lambdas/core/pattern/event-pattern.ts';
export type { TransformStep } from '../lambdas/core/spec.ts';
export type { MissingVariable } from '../lambdas/core/template/template.ts';
export type { OptionAdvice } from './advice.ts';
export type { BatchPush } from './buffer/batch-push.ts';
export type { BufferBinding, BufferConfig, IBuffer } from './buffer/buffer.ts';
export type { FunctionWrite, Inlet, RuleWrite } from './buffer/inlet.ts';
export { NoBuffer, type NoBufferProps } from './buffer/no-buffer.ts';
export { QueueBuffer, type QueueBufferProps } from './buffer/queue-buffer.ts';
export { StreamBuffer, type StreamBufferProps } from './buffer/stream-buffer.ts';
export { MqttConnector, type MqttConnectorProps } from './connector/mqtt-connector.ts';
export type { NetworkProps, WorkerNetwork } from './connector/network.ts';
export { RocketMqConnector, type RocketMqConnectorProps } from './connector/rocketmq-connector.ts';
export { type KinesisRouteOptions, KinesisSink, type KinesisSinkProps } from './deliver/kinesis-sink.ts';
export type { MqttMessageProps } from './deliver/mqtt-message.ts';
export { type MqttRouteOptions, MqttSink, type MqttSinkProps } from './deliver/mqtt-sink.ts';
export { type RepublishRouteOptions, RepublishSink, type RepublishSinkProps } from './deliver/republish-sink.ts';
export {
  RocketMqMapping,
  type RocketMqMessageProps,
  type RocketMqRouteOptions,
  RocketMqSink,
  type RocketMqSinkProps,
} from './deliver/rocketmq-sink.ts';
export type { ISink, SinkConfig } from './deliver/sink.ts';
export { RocketMqHooks, type RocketMqHooksProps } from './hooks.ts';
export type { AlarmOptions } from './observe.ts';
export { type CustomRetryPolicyProps, RetryPolicy, type RetryStep } from './retry.ts';
export type { Route, RouteOptions } from './route.ts';
export { ClientEventsSource, type ClientEventsSourceProps } from './source/client-events-source.ts';
export type { FilteredHook, Hook, HookEvent, Hooks } from './source/hook-events.ts';
export { IotTopicSource, type IotTopicSourceProps } from './source/iot-topic-source.ts';
export { MqttSource, type MqttSourceProps } from './source/mqtt-source.ts';
export type { IntakeSwitch, Origin } from './source/origin.ts';
export type { ISource, SourceBinding } from './source/source.ts';
export { type IOutflowTask, OutflowTask } from './task.ts';
export type { OutflowTaskProps } from './task-props.ts';
export type { WorkerOptions } from './worker-options.ts';
