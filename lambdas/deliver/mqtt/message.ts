import type { MqttProperties } from '../../core/mqtt/properties.ts';
import type { QualityOfService } from '../../core/mqtt/quality-of-service.ts';

/** A message to publish. */
export interface MqttRequest {
  readonly topic: string;
  /** Whether the message named the topic, so that a wrong one is its own fault. */
  readonly isTopicRendered: boolean;
  readonly payload: Uint8Array;
  readonly qos: QualityOfService;
  readonly retain: boolean;
  /** Whether the message gave the retain flag. */
  readonly isRetainRendered: boolean;
  readonly properties: MqttProperties;
}
