declare module 'kinesalite' {
  /** An HTTP server that speaks the Kinesis API; times in milliseconds. */
  export default function kinesalite(options: {
    createStreamMs?: number;
    deleteStreamMs?: number;
    updateStreamMs?: number;
    shardLimit?: number;
  }): import('node:http').Server;
}
