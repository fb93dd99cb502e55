import type { SQSEvent } from 'aws-lambda';
import { envelope, sqsEvent } from '../test/support/messages.ts';

export const RECORDS = 1_000;

/** Batches as Lambda hands them to a worker, each of {@link RECORDS} messages of which half have a `temp` above 20. */
export function makeBatches(count: number, humidity = '48.3'): SQSEvent[] {
  return Array.from({ length: count }, (_, batch) => {
    const bodies = Array.from({ length: RECORDS }, (_, i) => body(batch * RECORDS + i, humidity));
    // Lambda's runtime parses the event, and strings that were put together cost more to read than parsed ones.
    return JSON.parse(JSON.stringify(sqsEvent(bodies))) as SQSEvent;
  });
}

function body(n: number, humidity: string): string {
  const device = `meter-${String(n % 500).padStart(6, '0')}`;
  const uuid = (kind: string) => `${kind}-9f3b-4e07-a1c4-${String(n).padStart(12, '0')}`;
  return JSON.stringify(
    envelope(telemetry(n, device, humidity), {
      id: uuid('7f6cfa3c'),
      trace: uuid('1c9e3f0a'),
      topic: `plant/7/devices/${device}/telemetry`,
      clientid: device,
      principal: '4e1a0d52b7c94f6fa3c0d1e2f30415263748596a7b8c9daebfc0d1e2f3041526',
      sourceip: '192.0.2.17',
    }),
  );
}

// About 256 bytes, with typical telemetry: a name, a time in two notations, an address in hex, a few measurements.
function telemetry(n: number, device: string, humidity: string): string {
  const temp = (n % 2 === 0 ? 201 + (n % 97) : 199 - (n % 89)) / 10;
  return (
    `{"device":"${device}","mac":"a4:cf:12:7e:3b:90","time":"2026-11-21T09:00:00.000Z","ts":${1_795_251_600_000 + n},` +
    `"temp":${temp},"humidity":${humidity},"battery":{"volts":3.71,"percent":87},"rssi":-71,` +
    `"position":[48.1374,11.5755],"firmware":"2.14.3","alarm":false,"seq":${n % 10_000}}`
  );
}
