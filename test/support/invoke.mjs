// Imports a deployed bundle and invokes it as Lambda's runtime does. It reads the event from standard input, and writes the
// response to standard output.
import { text } from 'node:stream/consumers';

const { handler } = await import(process.argv[2]);
const deadline = Date.now() + 60_000;
const answer = await handler(JSON.parse(await text(process.stdin)), {
  getRemainingTimeInMillis: () => deadline - Date.now(),
});
process.stdout.write(`${JSON.stringify({ node: process.version, answer })}\n`);
