import { freePorts } from '../ports.ts';
import { type ControlApi, NoAnswerError } from './control-api.ts';
import { type Toxic, toRequest } from './toxic.ts';

/** A TCP address that forwards to a server, and on which faults can be put. */
export interface Link {
  readonly host: string;
  readonly port: number;
  /** `host:port`; clients connect here instead of to the server. */
  readonly address: string;
  /** Closes all connections and refuses new ones, as if the server were down. */
  down(): Promise<void>;
  /** Accepts connections again, at the same address. */
  up(): Promise<void>;
  /**
   * Adds a fault, on open connections too. A connection whose client has stopped reading can't take one while it is open:
   * the link then closes all its connections.
   *
   * @throws Error if the link has a fault of the same type and direction
   */
  add(toxic: Toxic): Promise<void>;
  /** Closes all connections and removes all faults. A link that is down stays down. */
  clear(): Promise<void>;
  /** Closes all connections for good and frees the address. */
  remove(): Promise<void>;
}

/**
 * Opens a link on a free port of the loopback interface.
 *
 * Toxiproxy can block for ever when a toxic is removed: it first interrupts the toxic, which waits for a reader of the
 * data that it holds. If the connection is closed by then, each held chunk costs 5 s
 * (https://github.com/Shopify/toxiproxy/issues/558). So a link never removes a toxic: it disables its proxy and opens
 * another at the same address. A proxy without connections holds no data, so adding toxics to it can't block either.
 *
 * @param name unique in this Toxiproxy
 * @param upstream `host:port` of the server
 */
export async function openLink(api: ControlApi, name: string, upstream: string): Promise<Link> {
  let proxies = 0;
  let toxics: readonly Toxic[] = [];
  let isUp = true;
  const host = '127.0.0.1';
  const port = await freePorts(1);
  const address = `${host}:${port}`;
  let path = await openProxy(isUp);

  async function openProxy(enabled: boolean): Promise<string> {
    const proxy = { name: `${name}.${++proxies}`, upstream, listen: address, enabled };
    // Unlike POST /proxies, it can be repeated.
    await api('POST', '/populate', [proxy]);
    return `/proxies/${proxy.name}`;
  }

  async function enable(enabled: boolean): Promise<void> {
    await api('PATCH', path, { enabled });
    isUp = enabled;
  }

  async function replaceProxy(next: readonly Toxic[]): Promise<void> {
    path = await openProxy(false);
    for (const toxic of next) await api('POST', `${path}/toxics`, toRequest(toxic));
    if (isUp) await enable(true);
    toxics = next;
  }

  /** Toxiproxy closes the address and the connections at once, but can't answer while it adds a toxic. */
  async function abandonProxy(): Promise<void> {
    try {
      await api('PATCH', path, { enabled: false }, { attempts: 1 });
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
    }
  }

  return {
    host,
    port,
    address,
    down: () => enable(false),
    up: () => enable(true),
    async add(toxic) {
      const next = [...toxics, toxic];
      try {
        await api('POST', `${path}/toxics`, toRequest(toxic), { attempts: 1 });
        toxics = next;
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        await abandonProxy();
        await replaceProxy(next);
      }
    },
    async clear() {
      await api('PATCH', path, { enabled: false });
      await replaceProxy([]);
    },
    remove: () => enable(false),
  };
}
