import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import type { MqttBroker } from '../../localstack/servers/mqtt-brokers/start.ts';
import { connectMqtt } from '../support/mqtt-client.ts';
import { memorySlot, SlowBuffer, sourceOf, startTurn } from '../support/mqtt-source.ts';
import { drawsOf } from './random.ts';

export interface Outcome {
  readonly published: number;
  readonly lost: number;
  /** Messages that were stored a second time. */
  readonly duplicates: number;
  /** Processes killed, or sessions handed over. */
  readonly times: number;
}

export interface KillOptions {
  readonly kills: number;
  readonly messages: number;
  readonly perSecond: number;
  readonly seed: number;
}

const urlOf = ({ host, port }: MqttBroker) => `mqtt://${host}:${port}`;
const QOS_1 = { qos: 1 } as const;
/** A source that makes no progress for this long has lost what is missing. */
const STUCK_AFTER_MS = 60_000;

/** Kills the process of a source again and again, between the receipt of messages and their write, while messages arrive. */
export async function killSource(
  broker: MqttBroker,
  { kills, messages, perSecond, seed }: KillOptions,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'outflow-kills-'));
  const program = join(folder, 'source.mjs');
  const stored = join(folder, 'stored');
  await build({
    entryPoints: ['test/soak/mqtt-source-process.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
  const draw = drawsOf(seed);
  const remote = await connectMqtt(urlOf(broker));
  let source: ChildProcess | undefined;
  const start = async () => {
    source = spawn(process.execPath, [program, urlOf(broker), stored], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(source.stdout!, 'data'); // connected
  };
  const kill = async () => {
    const ended = once(source!, 'exit');
    source!.kill('SIGKILL');
    await ended;
  };
  try {
    await start();
    const publishing = publishAll(remote.client, messages, perSecond);
    let times = 0;
    for (; times < kills; times++) {
      await sleep(draw.next() * (messages / perSecond / kills) * 1_000);
      await kill();
      await start();
    }
    await publishing;
    const lines = () => readFileSync(stored, 'utf8').split('\n').slice(0, -1);
    const missing = await untilStored(messages, lines);
    await kill();
    return { published: messages, lost: missing, duplicates: lines().length - new Set(lines()).size, times };
  } finally {
    source?.kill('SIGKILL');
    await remote.client.endAsync();
    rmSync(folder, { recursive: true });
  }
}

export interface HandOverOptions {
  readonly handOvers: number;
  readonly perSecond: number;
  readonly latencyMs: number;
}

/** Hands a slot from one invocation to the next, while messages arrive and the buffer is slow. */
export async function handOver(
  broker: MqttBroker,
  { handOvers, perSecond, latencyMs }: HandOverOptions,
): Promise<Outcome> {
  const buffer = new SlowBuffer(latencyMs);
  const source = sourceOf(urlOf(broker), buffer.store);
  const slot = memorySlot();
  const remote = await connectMqtt(urlOf(broker));
  let turn = startTurn(source, slot, '0');
  const connected = async () => {
    while (slot.state?.phase !== 'connected') await sleep(10);
  };
  await connected();
  let isPublishing = true;
  let published = 0;
  const publishing = (async () => {
    const acknowledged: Promise<unknown>[] = [];
    const from = Date.now();
    for (; isPublishing; await sleep(10)) {
      while (published < ((Date.now() - from) / 1_000) * perSecond)
        acknowledged.push(remote.client.publishAsync('in/a', `${published++}`, QOS_1));
    }
    await Promise.all(acknowledged);
  })();
  for (let time = 1; time <= handOvers; time++) {
    const next = startTurn(source, slot, `${time}`);
    await turn.result;
    await connected();
    turn = next;
  }
  isPublishing = false;
  await publishing;
  buffer.latencyMs = 1;
  const lost = await untilStored(published, () => buffer.texts);
  turn.end();
  await turn.result;
  await remote.client.endAsync();
  return { published, lost, duplicates: buffer.duplicates, times: handOvers };
}

/**
 * Changes the topic filter of several sources at once while messages arrive, each with several sessions of a shared subscription.
 *
 * @returns the longest time between the start of the changed invocations and the first message of a source by its new filter.
 */
export async function changeConfiguration(
  broker: MqttBroker,
  { sources, sessions }: { readonly sources: number; readonly sessions: number },
): Promise<Outcome & { readonly firstMessageMs: number }> {
  const remote = await connectMqtt(urlOf(broker));
  const all = Array.from({ length: sources }, (_, index) => {
    const buffer = new SlowBuffer(20);
    const options = { name: `changed-${index}`, shareGroup: `g${index}`, sessions };
    const slots = Array.from({ length: sessions }, memorySlot);
    const start = (version: string, filters: string[]) => {
      const source = sourceOf(urlOf(broker), buffer.store, { ...options, filters });
      return slots.map((slot, session) => startTurn(source, slot, version, session + 1));
    };
    const topics = { kept: `change/${index}/kept`, added: `change/${index}/added` };
    return { buffer, slots, start, topics, turns: start('1', [topics.kept]), firstMs: Number.NaN };
  });
  for (const { slots } of all) while (slots.some(({ state }) => state?.phase !== 'connected')) await sleep(10);
  let isPublishing = true;
  let rounds = 0;
  const acknowledged: Promise<unknown>[] = [];
  const publishing = (async () => {
    for (; isPublishing; await sleep(50), rounds++)
      for (const { topics } of all) {
        acknowledged.push(remote.client.publishAsync(topics.kept, `kept ${rounds}`, QOS_1));
        acknowledged.push(remote.client.publishAsync(topics.added, `added ${rounds}`, QOS_1));
      }
    await Promise.all(acknowledged);
  })();
  await sleep(1_000);
  const changedAt = Date.now();
  const before = all.flatMap(({ turns }) => turns);
  const after = all.flatMap(({ start, topics }) => start('2', [topics.kept, topics.added]));
  while (all.some(({ firstMs }) => Number.isNaN(firstMs))) {
    for (const one of all)
      if (Number.isNaN(one.firstMs) && one.buffer.texts.some((text) => text.startsWith('added')))
        one.firstMs = Date.now() - changedAt;
    await sleep(5);
  }
  await Promise.all(before.map(({ result }) => result));
  await sleep(1_000);
  isPublishing = false;
  await publishing;
  const keptOf = (texts: readonly string[]) => texts.filter((text) => text.startsWith('kept'));
  let lost = 0;
  for (const { buffer } of all) lost += await untilStored(rounds, () => keptOf(buffer.texts));
  for (const turn of after) turn.end();
  await Promise.all(after.map(({ result }) => result));
  await remote.client.endAsync();
  return {
    published: sources * rounds,
    lost,
    duplicates: all.reduce((sum, { buffer }) => sum + buffer.duplicates, 0),
    times: before.length,
    firstMessageMs: Math.max(...all.map(({ firstMs }) => firstMs)),
  };
}

type Client = Awaited<ReturnType<typeof connectMqtt>>['client'];

async function publishAll(client: Client, messages: number, perSecond: number): Promise<void> {
  const from = Date.now();
  const acknowledged: Promise<unknown>[] = [];
  for (let n = 0; n < messages; await sleep(5))
    while (n < messages && n < ((Date.now() - from) / 1_000) * perSecond)
      acknowledged.push(client.publishAsync('in/a', `${n++}`, QOS_1));
  await Promise.all(acknowledged);
}

/** Waits until all messages are stored. @returns how many are missing when nothing more comes. */
async function untilStored(messages: number, texts: () => readonly string[]): Promise<number> {
  let known = -1;
  for (let at = Date.now(); ; await sleep(100)) {
    const { size } = new Set(texts());
    if (size === messages) return 0;
    if (size !== known) at = Date.now();
    else if (Date.now() - at > STUCK_AFTER_MS) return messages - size;
    known = size;
  }
}
