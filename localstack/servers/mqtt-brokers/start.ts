export type * from './broker.ts';
export { startMosquitto } from './mosquitto/start.ts';
