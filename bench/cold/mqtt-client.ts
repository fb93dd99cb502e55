/** What a function that publishes by MQTT loads at least: the client, without a worker. */
export { connectMqtt } from '../../lambdas/net/mqtt/connect.ts';
