/** MQTT.js alone. */
export { connectAsync } from 'mqtt';
