export { startArtemis } from './artemis/start.ts';
export type * from './broker.ts';
export { startHiveMq } from './hivemq/start.ts';
export { startMosquitto } from './mosquitto/start.ts';
