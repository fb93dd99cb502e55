import type { Credentials } from './acl.ts';
import { type Jvm, startJvm } from './jvm.ts';

/** RocketMQ's own Java clients, in a process beside the servers. */
export interface Client {
  readonly pid: number;
  /** Asks `java/Client.java`. @throws with its error, or when it has ended. */
  ask<Result>(action: string, parameters: Record<string, unknown>, onItem?: (item: never) => void): Promise<Result>;
  kill(): Promise<void>;
}

export interface ClientOptions {
  readonly folder: string;
  readonly classPath: string;
  /** 'host:port' */
  readonly nameServer: string;
  readonly credentials: Credentials | undefined;
  readonly properties: Record<string, string>;
}

interface Question {
  readonly onItem: (item: never) => void;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly id: number;
  readonly item?: never;
  readonly result?: never;
  readonly error?: string;
}

const HEAP_MB = 128;

export async function startClient(options: ClientOptions): Promise<Client> {
  const { folder, classPath, nameServer, credentials, properties } = options;
  const questions = new Map<number, Question>();
  let lastId = 0;
  const jvm: Jvm = await startJvm({
    name: 'client',
    folder,
    classPath,
    main: ['Client', nameServer, ...(credentials ? [credentials.accessKey, credentials.secretKey] : [])],
    heapMb: HEAP_MB,
    properties,
    onLine: (line) => take(JSON.parse(line)),
    onEnd: (how) => {
      for (const { reject } of questions.values()) reject(new Error(`RocketMQ’s client has ended: ${how}`));
      questions.clear();
    },
  });

  function take({ id, item, result, error }: Answer): void {
    const question = questions.get(id)!;
    if (item !== undefined) {
      question.onItem(item);
      return;
    }
    questions.delete(id);
    if (error === undefined) question.resolve(result!);
    else question.reject(new Error(error));
  }

  return {
    pid: jvm.pid,
    ask(action, parameters, onItem = () => {}) {
      return new Promise((resolve, reject) => {
        if (!jvm.isRunning()) throw new Error('RocketMQ’s client has ended');
        const id = ++lastId;
        questions.set(id, { onItem, resolve, reject });
        jvm.stdin.write(`${JSON.stringify({ id, do: action, ...parameters })}\n`);
      });
    },
    kill: jvm.kill,
  };
}
