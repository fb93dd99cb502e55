import { brotliCompressSync } from 'node:zlib';
import type { Draw } from './random.ts';

/** What a hostile device publishes: one message that tries to stop, slow or bill the task of the others. */
export interface HostileMessage {
  readonly payload: Buffer;
  readonly userProperties?: Record<string, string | string[]>;
  readonly contentType?: string;
}

const NAMES = ['__proto__', 'constructor', 'line', 'temp', 'hash', 'readings', 'sentAt', 'id', 'toString'];
const LINES = ['gone', 'b', '', '../a', 'a'.repeat(200), '${line}', 'ａ', 'a b', '%RETRY%a', 'KMS'];
const HASHES = ['-1', '1e39', '0x10', '00', '7.0', '340282366920938463463374607431768211456', '', 'NaN'];

/** A message for tasks that filter by `temp`, and render `line`, `hash`, `id` and the readings. */
export function hostileMessage(draw: Draw): HostileMessage {
  const text = (json: string) => ({ payload: Buffer.from(json) });
  const valid = (over: object) =>
    text(JSON.stringify({ id: 'x', line: 'a', temp: 30, hash: '1', readings: [], ...over }));
  const kinds: (() => HostileMessage)[] = [
    () => text('{'),
    () => text(''),
    () => ({ payload: Buffer.from(Array.from({ length: draw.whole(0, 2_000) }, () => draw.whole(0, 255))) }),
    () => ({ payload: brotliCompressSync(Buffer.alloc(draw.whole(1, 100_000))) }),
    () => text('['.repeat(draw.whole(1, 100_000))),
    () => text(`{"temp":30,"readings":${'[{"v":30,"w":'.repeat(900)}1${'}]'.repeat(900)}}`),
    () => valid({ readings: Array.from({ length: draw.whole(1, 5_000) }, (_, v) => ({ v, t: 'x' })) }),
    () => valid({ id: 'x'.repeat(draw.whole(1, 120_000)) }),
    () => valid({ line: draw.oneOf(LINES) }),
    () => valid({ hash: draw.oneOf(HASHES) }),
    () => valid({ temp: draw.oneOf([1e308, -0, 'hot', null, [30], { $ref: '#' }]) }),
    () => valid({ [draw.oneOf(NAMES)]: draw.oneOf([{}, [], null, 'x', 1e300]) }),
    () => text(`{"temp":1${'0'.repeat(draw.whole(1, 100_000))},"line":"a"}`),
    () => text(`{"temp":30,"temp":31,"line":"a","line":"gone","hash":"1"}`),
    () => ({
      ...valid({}),
      userProperties: { [draw.oneOf(NAMES)]: 'x'.repeat(draw.whole(1, 4_000)), KEYS: ['a', 'b'], TAGS: '' },
      contentType: draw.oneOf(['application/json', '\u202e', 'a'.repeat(200)]),
    }),
  ];
  return draw.oneOf(kinds)();
}
