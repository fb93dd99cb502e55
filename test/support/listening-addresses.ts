import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Addresses that a process listens on, from Linux's tables of sockets; IPv4 as dotted numbers. */
export function listeningAddresses(pid: number): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return ''; // closed meanwhile
      }
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === '0A' && sockets.has(`socket:[${inode}]`))
      .map(([, local]) => {
        const [hex] = local!.split(':');
        const isMapped = hex!.length === 8 || hex!.startsWith('0000000000000000FFFF0000');
        return isMapped ? [...Buffer.from(hex!.slice(-8), 'hex')].reverse().join('.') : hex!;
      }),
  );
}
