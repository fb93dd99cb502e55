import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SecretValue, type Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import { resultCodes } from '../../lambdas/deliver/rocketmq/remoting/command.ts';
import { openPool } from '../../lambdas/deliver/rocketmq/remoting/pool.ts';
import { signWith } from '../../lambdas/deliver/rocketmq/remoting/signer.ts';
import { systemClock } from '../../lambdas/net/clock.ts';
import { deadlineIn } from '../../lambdas/net/deadline.ts';
import type { Stack as ReadStack } from '../../localstack/one-process/assembly.ts';
import { makeAuthority } from '../../localstack/servers/certificates.ts';
import { ADMIN, plainAcl } from '../../localstack/servers/rocketmq/acl.ts';
import { rocketMqHome as home, isInstalled } from '../../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { balanced, type Declared, PATIENCE, startTask, synthesize, texts } from '../support/rocketmq-task.ts';
import { type Face, startTlsFront, type TlsFront } from '../support/tls-front.ts';

const START_TIMEOUT_MS = 180_000;
const ALLOWED = ['UnknownIssuer', 'Expired', 'OtherHost', 'Password', 'Rotated'];
const USER = { accessKey: 'lambda-user', secretKey: 'lambda-secret', topics: ALLOWED };
/** Request code of RocketMQ 5 (class RequestCode). */
const UPDATE_USER = 3002;

const authority = makeAuthority('Outflow test front');
const faces: [what: string, name: string, face: Face, cause: RegExp][] = [
  ['of an unknown issuer', 'UnknownIssuer', makeAuthority('Somebody').issue(), /verify|issuer|self.signed/i],
  ['that has expired', 'Expired', authority.issue({ isExpired: true }), /expired/],
  ['for another host', 'OtherHost', authority.issue({ host: 'other.example' }), /altnames/],
];

const secretText = (secretKey: string) => JSON.stringify({ accessKey: USER.accessKey, secretKey });

describe.skipIf(!isInstalled(home)).each([5, 4] as const)(
  'a task for RocketMQ %i with access control and TLS',
  { timeout: 300_000 },
  (version) => {
    let mq: RocketMq;
    let ca: string;
    let stacks: readonly ReadStack[];
    const fronts = new Map<string, TlsFront>();

    beforeAll(async () => {
      // Some environments switch verification off with this variable; the sink verifies certificates all the same.
      vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      const topics = [...ALLOWED, 'Forbidden'].map((name) => ({ name }));
      mq = await startRocketMq({ home, version, topics, acl: USER, tls: true });
      ca = readFileSync(mq.caFile!, 'utf8');
      const connector =
        (nameServer: string, certificateAuthority = ca) =>
        (stack: Stack) => ({
          nameServers: [nameServer],
          credentials: new Secret(stack, 'User', { secretStringValue: SecretValue.unsafePlainText('not used') }),
          certificateAuthority,
        });
      const tasks: Record<string, Declared> = {
        Password: { connector: connector(mq.nameServer) },
        Rotated: { connector: connector(mq.nameServer) },
        // RocketMQ 4 checks a topic's permissions for single messages only, not for batches.
        Forbidden: { connector: connector(mq.nameServer), to: { batchSize: 1 } },
      };
      for (const [, name, face] of faces) {
        const front = await startTlsFront(mq.nameServer, { ca, face });
        fronts.set(name, front);
        tasks[name] = { connector: connector(front.address, authority.ca + ca) };
      }
      stacks = synthesize(tasks);
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      for (const front of fronts.values()) await front.close();
      await mq?.close();
      vi.unstubAllEnvs();
    });

    const start = (test: TestContext, name: string, secret = async () => secretText(USER.secretKey)) =>
      startTask(test, stacks, name, { mq, secret });

    // A stopped task is probed once a minute, so these tests wait.
    describe('stopped until the cause is corrected', { concurrent: true }, () => {
      it.for(faces)(
        'stops for a certificate %s, and goes on with a valid one (F23, S16, S17)',
        async ([, name, , cause], test) => {
          const { task, publish, hasStatus, drained, books } = await start(test, name);
          await publish(texts(30));
          await hasStatus('Start Failed');
          expect(task.control!.state.cause).toMatch(cause);
          expect(await books()).toEqual(balanced(30, { delivered: 0, buffered: 30, duplicates: 0 }));
          fronts.get(name)!.show(authority.issue());
          await drained();
          await hasStatus('Running');
          expect(await books()).toEqual(balanced(30, { duplicates: 0 }));
        },
      );

      it('stops for a wrong password with its backlog, and goes on with the right one without an operator (F24)', async (test) => {
        let secretKey = 'wrong-secret';
        const { task, publish, hasStatus, held, drained, books } = await start(test, 'Password', async () =>
          secretText(secretKey),
        );
        await publish(texts(40, 40, 'before'));
        await hasStatus('Start Failed');
        expect(task.control!.state.cause).toMatch(/signature|AclException/i);
        expect(task.control!.state.cause).not.toContain(secretKey);
        expect(await task.control!.testConnectivity()).toMatchObject({ ok: false });
        await publish(texts(40, 40, 'after'));
        expect(held()).toBe(80);
        expect(await books()).toEqual(balanced(80, { delivered: 0, buffered: 80, duplicates: 0 }));
        ({ secretKey } = USER);
        await drained();
        await hasStatus('Running');
        expect(await books()).toEqual(balanced(80, { duplicates: 0 }));
      });

      it('stops for a forbidden topic with its backlog (F24)', async (test) => {
        const { task, publish, hasStatus, books } = await start(test, 'Forbidden');
        await publish(texts(20));
        await hasStatus('Start Failed');
        expect(task.control!.state.cause).toContain('Forbidden');
        expect(await books()).toEqual(balanced(20, { delivered: 0, buffered: 20, duplicates: 0 }));
      });
    });

    it('goes on with a password that is rotated under load, and dead-letters nothing (F25)', async (test) => {
      let secretKey = USER.secretKey;
      const { task, publish, hasStatus, drained, books } = await start(test, 'Rotated', async () =>
        secretText(secretKey),
      );
      let n = 0;
      let isOver = false;
      const traffic = (async () => {
        while (!isOver) {
          await publish(texts(10, 40, `part ${n++}`));
          await sleep(50);
        }
      })();
      test.onTestFinished(async () => {
        isOver = true;
        await traffic;
      });
      const more = async (of: 'outgoing' | 'parked', count: number) => {
        const before = task.counters[of];
        await vi.waitUntil(() => task.counters[of] >= before + count, PATIENCE);
      };
      await more('outgoing', 100);
      await changePassword('another-secret');
      // The server's password changes first: until the secret follows, nothing is delivered.
      await more('parked', 10);
      secretKey = 'another-secret';
      await more('outgoing', 100);
      isOver = true;
      await traffic;
      await drained();
      await hasStatus('Running');
      expect(await books()).toEqual(balanced(10 * n, { duplicates: 0 }));
    });

    /** Changes the user's password, as an administrator would. The broker applies it within seconds. */
    async function changePassword(secretKey: string): Promise<void> {
      if (version === 4) {
        writeFileSync(join(mq.folder, 'conf/plain_acl.yml'), JSON.stringify(plainAcl({ ...USER, secretKey })));
        return;
      }
      const pool = openPool({
        tls: { ca },
        connectTimeoutMs: 10_000,
        maxInFlight: 1,
        idleMs: 10_000,
        clock: systemClock,
      });
      const user = { username: USER.accessKey, password: secretKey, userType: 'Normal', userStatus: 'enable' };
      const request = {
        code: UPDATE_USER,
        fields: { username: USER.accessKey },
        body: Buffer.from(JSON.stringify(user)),
      };
      const answer = await pool.request(mq.broker, signWith(ADMIN, request), deadlineIn(10_000, systemClock));
      pool.close();
      if (answer.code !== resultCodes.success) throw new Error(`update user: ${answer.code} ${answer.remark}`);
    }
  },
);
