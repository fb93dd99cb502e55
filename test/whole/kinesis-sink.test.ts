import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOptions } from '../../lambdas/core/options.ts';
import { kinesisOptions } from '../../lambdas/deliver/kinesis/config.ts';
import type { KinesisRequest } from '../../lambdas/deliver/kinesis/render.ts';
import { openKinesis } from '../../lambdas/deliver/kinesis/sink.ts';
import { type LocalKinesis, startKinesis } from '../../localstack/one-process/kinesis.ts';
import { faultProxyHome, isInstalled } from '../../localstack/servers/fault-proxy/install.mjs';
import { type FaultProxy, type Link, startFaultProxy } from '../../localstack/servers/fault-proxy/start.ts';
import { minute, sinkContract } from '../contract/sink.ts';
import { readRecords } from '../support/kinesis.ts';

const request = (text: string, over: Partial<KinesisRequest> = {}): KinesisRequest => {
  const data = Buffer.from(text);
  return { stream: 'telemetry', isStreamRendered: false, partitionKey: 'k', data, bytes: data.length + 1, ...over };
};

describe.skipIf(!isInstalled(faultProxyHome))('the Kinesis sink, on a server', () => {
  let server: LocalKinesis;
  let proxy: FaultProxy;
  let link: Link;
  beforeAll(async () => {
    server = await startKinesis();
    for (const name of ['telemetry', 'second', 'refusing']) await server.createStream(name);
    proxy = await startFaultProxy({ home: faultProxyHome });
    link = await proxy.link({ upstream: new URL(server.endpointUrl).host });
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.close();
  });

  const open = (over: object = {}, endpointUrl = server.endpointUrl) => {
    const given = { type: 'kinesis', stream: 'telemetry', partitionKey: '${clientid}', ...over };
    return openKinesis({ ...parseOptions(kinesisOptions, given), stream: 'telemetry' }, { env: {}, endpointUrl });
  };
  const readBack = async (stream = 'telemetry') => (await readRecords(server, stream)).map(({ data }) => `${data}`);

  sinkContract<KinesisRequest>({
    name: 'Kinesis',
    open: () => open({ maxRecords: 2 }, `http://${link.address}`),
    openUnreachable: () => open({}, 'http://127.0.0.1:1'),
    request: (text, partitionKey = 'k') => request(text, { partitionKey }),
    refused: () => request('refused', { partitionKey: '' }),
    misdirected: () => request('misdirected', { stream: 'missing' }),
    missingTarget: 'missing',
    readBack,
    outage: { begin: () => link.down(), end: () => link.up() },
  });

  it('a stream that does not exist stops the task; one that a template named is the message’s fault', async () => {
    const sink = open();
    const missing = (over: object) => request('a', { stream: 'missing', ...over });
    const requests = [missing({}), missing({ isStreamRendered: true }), request('b')];
    const outcomes = await sink.deliver(requests, minute);
    expect(outcomes.map((outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status))).toEqual([
      'stop',
      'INVALID_TARGET',
      'delivered',
    ]);
    await sink.close();
  });

  it('is connected where each stream is there', async () => {
    const sink = open();
    const found = await sink.testConnectivity(['telemetry', 'second', 's-${site}']);
    expect(found).toMatch(/^stream telemetry is ACTIVE.*; stream second is ACTIVE.*; .*named by s-\$\{site\}$/);
    await expect(sink.testConnectivity(['telemetry', 'gone'])).rejects.toMatchObject({ name: 'StopTask' });
    await sink.close();
  });

  it('a record that the server refuses does not take its call along', async () => {
    const sink = open();
    const requests = Array.from({ length: 9 }, (_, i) =>
      request(`${i}`, { stream: 'refusing', partitionKey: i === 4 ? '' : 'k' }),
    );
    const outcomes = await sink.deliver(requests, minute);
    expect(outcomes.map(({ status }) => status === 'never')).toEqual(requests.map((_, i) => i === 4));
    expect((await readBack('refusing')).sort()).toEqual(['0', '1', '2', '3', '5', '6', '7', '8']);
    await sink.close();
  });
});
