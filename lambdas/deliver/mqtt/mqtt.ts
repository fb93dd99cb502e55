import { expiring } from '../../core/mqtt/properties.ts';
import type { SinkDefinition } from '../sink.ts';
import { MQTT_ROUTED, mqttOptions } from './config.ts';
import type { MqttRequest } from './message.ts';
import { compileMqtt } from './render.ts';
import { openMqtt } from './sink.ts';

export const mqtt: SinkDefinition<typeof mqttOptions, MqttRequest> = {
  type: 'mqtt',
  options: mqttOptions,
  routed: MQTT_ROUTED,
  compile: compileMqtt,
  open: openMqtt,
  // Loaded on demand: only an operator's command reads.
  read: async (...reading) => (await import('./read.ts')).readArrived(...reading),
  target: ({ topic }) => topic,
  expiring,
  show: ({ topic, qos, retain, payload, properties }) => ({ topic, qos, retain, payload, ...properties }),
};
