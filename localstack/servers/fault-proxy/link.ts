import { type Toxic, toRequest } from './toxic.ts';

/** Calls Toxiproxy's API with a body, and answers what it answered. @throws with both, when it refuses. */
export type Api = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<unknown>;

/** A way to a server, on which faults can be put. */
export interface Link {
  readonly host: string;
  readonly port: number;
  /** `host:port`, in place of the server's own. */
  readonly address: string;
  /** Closes all connections and takes no more, as if the server were down. */
  down(): Promise<void>;
  /** Takes connections again, at the same address. */
  up(): Promise<void>;
  /** Puts a fault on it, beside those it has. One of the same type and direction must not be there. */
  add(toxic: Toxic): Promise<void>;
  /** Takes all faults off. Connections that one of them silenced are closed. */
  clear(): Promise<void>;
  /** Ends the link itself; its address is free. */
  remove(): Promise<void>;
}

/** Makes a link on a free port of the loopback interface. @param upstream `host:port` of the server */
export async function openLink(api: Api, name: string, upstream: string): Promise<Link> {
  const path = `/proxies/${name}`;
  const made = await api('POST', '/proxies', { name, upstream, listen: '127.0.0.1:0', enabled: true });
  const { listen: address } = made as { listen: string };
  const [host, port] = address.split(':') as [string, string];
  // The address is given each time: another than it has would end all connections, and an absent one is another.
  const enable = async (enabled: boolean) => {
    await api('POST', path, { name, upstream, listen: address, enabled });
  };
  return {
    host,
    port: Number(port),
    address,
    down: () => enable(false),
    up: () => enable(true),
    async add(toxic) {
      await api('POST', `${path}/toxics`, toRequest(toxic));
    },
    async clear() {
      const toxics = (await api('GET', `${path}/toxics`)) as { name: string }[];
      for (const toxic of toxics) await api('DELETE', `${path}/toxics/${toxic.name}`);
    },
    async remove() {
      await api('DELETE', path);
    },
  };
}
