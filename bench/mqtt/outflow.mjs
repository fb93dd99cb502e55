// The task of an assembly, as `outflow local` runs it.
import { readAssembly } from '../../dist/localstack/one-process/assembly.js';
import { run } from '../../dist/localstack/one-process/run.js';

const [folder] = process.argv.slice(2);
const running = await run(readAssembly(folder), { onError: (error) => console.error(error) });
while (!running.tasks.every(({ sources }) => sources.every(({ isConnected }) => isConnected)))
  await new Promise((resolve) => setTimeout(resolve, 10));
const before = process.cpuUsage();
process.send('ready');
process.once('message', async () => {
  const { user, system } = process.cpuUsage(before);
  process.send({ cpuMs: (user + system) / 1_000 });
  process.disconnect();
  await running.close();
});
