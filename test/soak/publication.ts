import type { DeadLetterCode } from '../../lambdas/core/errors.ts';
import { drawsOf } from './random.ts';

/** What a task does with payloads, as far as it decides where a message ends. */
export interface Profile {
  readonly task: string;
  /** Passes only a `temp` above 20. */
  readonly filters: boolean;
  /** Delivers the payload as it came, or `id` and `temp` out of it. */
  readonly delivers: 'payload' | 'temp';
  /** Larger records are dead-lettered. */
  readonly maxRecordBytes: number;
}

/** Where a message ends when nothing goes wrong. */
export type Verdict = 'delivered' | 'filtered' | DeadLetterCode;

/** A message to publish, and what is to become of it. */
export interface Publication {
  readonly id: string;
  readonly payload: Buffer;
  readonly verdict: Verdict;
  /** What the sink is to hold of it. */
  readonly data: string | Buffer;
}

const KINDS = ['cold', 'broken', 'missing', 'large', 'hostile', 'binary'] as const;
type Kind = 'plain' | (typeof KINDS)[number];

const HOSTILE = [
  '${payload.id}',
  '${.}$.data.body',
  '","id":"somebody else',
  '__proto__',
  '\u2028\u0000\u001b[2J\r\n',
  '\ud800',
  '😀'.repeat(50),
  '['.repeat(500),
];

/** The `n`th message of a task: for one seed always the same. Two in three are plain. */
export function publication(profile: Profile, seed: number, n: number): Publication {
  const draw = drawsOf(seed, n, profile.task.length, profile.task.charCodeAt(0));
  const id = `${profile.task}-${n}`;
  const kind: Kind = draw.next() < 2 / 3 ? 'plain' : draw.oneOf(KINDS);
  const temp = kind === 'cold' ? draw.whole(-20, 20) : draw.whole(21, 90);
  const payload = payloadOf(kind, id, temp, profile, draw.oneOf(HOSTILE), draw.next());
  const data = profile.delivers === 'payload' ? payload : `{"id":"${id}","temp":${temp}}`;
  return { id, payload, verdict: verdictOf(kind, profile), data };
}

/** The id in a payload, wherever it has come to; every payload has one, those too that are nothing else. */
export function idIn(data: Uint8Array): string | undefined {
  return /"id":"([\w-]+)"/.exec(Buffer.from(data).toString('latin1'))?.[1];
}

function payloadOf(kind: Kind, id: string, temp: number, profile: Profile, text: string, noise: number): Buffer {
  const start = `{"id":"${id}"`;
  switch (kind) {
    case 'broken':
      return Buffer.from(`${start},"temp":`);
    case 'missing':
      return Buffer.from(`${start},"other":${noise}}`);
    case 'large':
      return Buffer.from(`${start},"temp":${temp},"text":"${'x'.repeat(profile.maxRecordBytes)}"}`);
    case 'hostile':
      return Buffer.from(`${start},"temp":${temp},${JSON.stringify(text)}:{"constructor":${JSON.stringify(text)}}}`);
    case 'binary':
      return Buffer.concat([Buffer.from([0xff, 0x00]), Buffer.from(start), Buffer.from([0xc3, 0x28, 0xfe])]);
    default:
      return Buffer.from(`${start},"temp":${temp},"noise":${noise}}`);
  }
}

function verdictOf(kind: Kind, { filters, delivers }: Profile): Verdict {
  const isRead = filters || delivers === 'temp';
  if (kind === 'cold') return filters ? 'filtered' : 'delivered';
  if (kind === 'missing') {
    if (filters) return 'filtered';
    return delivers === 'temp' ? 'TEMPLATE_VARIABLE_MISSING' : 'delivered';
  }
  if (kind === 'broken' || kind === 'binary') return isRead ? 'INVALID_PAYLOAD' : 'delivered';
  if (kind === 'large') return delivers === 'payload' ? 'MESSAGE_TOO_LARGE' : 'delivered';
  return 'delivered';
}
