// Standard input ends when LocalStack does, however it does. A thread of its own sees that even while the handler is busy.
import { Socket } from 'node:net';

new Socket({ fd: 0, readable: true, writable: false })
  .on('error', () => {})
  .on('close', () => {
    // The process leads its group: what the handler has started goes too.
    process.kill(-process.pid, 'SIGKILL');
  })
  .resume();
