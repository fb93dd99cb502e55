declare module 'kinesalite' {
  /** An HTTP server for the Kinesis API. */
  export default function kinesalite(options: {
    createStreamMs?: number;
    deleteStreamMs?: number;
    updateStreamMs?: number;
    shardLimit?: number;
  }): import('node:http').Server;
}
