// Standard input closes when LocalStack ends, even by SIGKILL. This worker thread notices it even while the handler is busy.
import { Socket } from 'node:net';

new Socket({ fd: 0, readable: true, writable: false })
  .on('error', () => {})
  .on('close', () => {
    // The process leads its group, so processes started by the handler end as well.
    process.kill(-process.pid, 'SIGKILL');
  })
  .resume();
