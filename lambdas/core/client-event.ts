import * as z from 'zod';
import { NeverRetry } from './errors.ts';

const clientEvent = z.object({
  clientId: z.string(),
  // The range of a JavaScript Date.
  timestamp: z.int().min(0).max(8.64e15).optional(),
  sessionIdentifier: z.string().optional(),
  principalIdentifier: z.string().optional(),
  versionNumber: z.number().optional(),
  ipAddress: z.string().optional(),
  disconnectReason: z.string().optional(),
  topics: z.array(z.string()).optional(),
});

/** A client event: what AWS IoT Core publishes when a client connects, disconnects or subscribes (AWS IoT Core, "Lifecycle events"). */
export type ClientEvent = z.infer<typeof clientEvent>;

/**
 * Parses the payload of a client event.
 *
 * @param type The event type, for the error.
 * @throws NeverRetry INVALID_PAYLOAD for any other payload.
 */
export function parseClientEvent(payload: string, type: string): ClientEvent {
  const found = clientEvent.safeParse(parsed(payload));
  if (found.success) return found.data;
  throw new NeverRetry('INVALID_PAYLOAD', `the payload is not an AWS IoT Core event of type ${type}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
