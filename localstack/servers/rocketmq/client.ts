import type { Credentials } from './acl.ts';
import { type Jvm, startJvm } from './jvm.ts';

/** RocketMQ's Java clients (admin tool, producer, consumer) in one process. */
export interface Client {
  readonly pid: number;
  /**
   * Calls an action of `java/Client.java`.
   *
   * @throws Error with the Java exception, or if the process has ended
   */
  call<Result>(action: string, parameters: Record<string, unknown>, onItem?: (item: never) => void): Promise<Result>;
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

interface PendingCall {
  readonly onItem: (item: never) => void;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

interface Reply {
  readonly id: number;
  readonly item?: never;
  readonly result?: never;
  readonly error?: string;
}

const HEAP_MB = 128;

/** Starts the client process. */
export async function startClient(options: ClientOptions): Promise<Client> {
  const { folder, classPath, nameServer, credentials, properties } = options;
  const pending = new Map<number, PendingCall>();
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
      for (const { reject } of pending.values()) reject(new Error(`the RocketMQ client process ended: ${how}`));
      pending.clear();
    },
  });

  function take({ id, item, result, error }: Reply): void {
    const call = pending.get(id)!;
    if (item !== undefined) {
      call.onItem(item);
      return;
    }
    pending.delete(id);
    if (error === undefined) call.resolve(result!);
    else call.reject(new Error(error));
  }

  return {
    pid: jvm.pid,
    call(action, parameters, onItem = () => {}) {
      return new Promise((resolve, reject) => {
        if (!jvm.isRunning()) throw new Error('the RocketMQ client process has ended');
        const id = ++lastId;
        pending.set(id, { onItem, resolve, reject });
        jvm.stdin.write(`${JSON.stringify({ id, do: action, ...parameters })}\n`);
      });
    },
    kill: jvm.kill,
  };
}
