import { StopTask } from '../../core/errors.ts';
import type { Sink } from '../sink.ts';
import type { MqttRequest } from './message.ts';

/** A sink that can end its connections in order; the next delivery opens new ones. */
export interface MqttSink extends Sink<MqttRequest> {
  disconnect(): Promise<void>;
}

export interface StaticClientIdsOptions {
  /** The client id of each shard, in their order. */
  readonly clientIds: readonly string[];
  readonly open: (clientId: string) => MqttSink;
  /** Tests whether the broker accepts connections, without a client id. @throws StopTask, RetryLater */
  readonly testReach: () => Promise<string>;
}

/**
 * Publishes with the client id of the shard that the requests come from. AWS Lambda processes one batch of a shard at a time, whatever
 * version of the function does it, and each delivery disconnects at its end, so that no two connections have the same client id.
 */
export function staticClientIdsSink({ clientIds, open, testReach }: StaticClientIdsOptions): Sink<MqttRequest> {
  const sinks = new Map<string, MqttSink>();

  return {
    async deliver(requests, context) {
      const clientId = clientIds[context.shard ?? -1];
      if (clientId === undefined) throw noClientId(context.shard, clientIds.length);
      const sink = sinks.get(clientId) ?? open(clientId);
      sinks.set(clientId, sink);
      try {
        return await sink.deliver(requests, context);
      } finally {
        await sink.disconnect();
      }
    },
    // A connection with a client id would end the one of a batch that is being delivered.
    testConnectivity: testReach,
    async close() {
      for (const sink of sinks.values()) await sink.close();
    },
  };
}

function noClientId(shard: number | undefined, count: number): StopTask {
  if (shard === undefined) return new StopTask('staticClientIds: got a batch of a queue; expected a StreamBuffer');
  // Shards that are split or merged get new numbers.
  return new StopTask(
    `staticClientIds: got shard ${shard}; expected shards 0 to ${count - 1}. The stream has been resharded: replace it by a new one with ${count} shards`,
  );
}
