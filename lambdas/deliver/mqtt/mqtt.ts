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
  target: ({ topic }) => topic,
  show: ({ topic, qos, retain, payload, properties }) => ({ topic, qos, retain, payload, ...properties }),
};
