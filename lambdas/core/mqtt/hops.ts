import type { Envelope } from '../envelope.ts';
import type { MqttProperties } from './properties.ts';

/** The user property in which a message carries how often a task has republished it. */
export const HOPS_PROPERTY = 'outflow-hops';

/** Returns properties with this count of hops, in place of any other. */
export function withHops<Properties extends MqttProperties>(properties: Properties, hops: number): Properties {
  const others = properties.userProperties.filter(([name]) => name !== HOPS_PROPERTY);
  return { ...properties, userProperties: [...others, [HOPS_PROPERTY, `${hops}`]] };
}

/** Returns how often a message was republished; 0 for one without the property, such as a message that was published by HTTPS. */
export function hopsOf({ userProperties = [] }: Pick<Envelope, 'userProperties'>): number {
  let hops = 0;
  for (const pair of userProperties) {
    // A publisher may set the property too: a count never becomes smaller, and any other text counts as none.
    const text = Object.hasOwn(pair, HOPS_PROPERTY) ? pair[HOPS_PROPERTY]! : '';
    if (/^\d{1,9}$/.test(text)) hops = Math.max(hops, Number(text));
  }
  return hops;
}
