// Starts LocalStack, says so, and is then killed by the test.
import { startLocalStack } from '../../localstack/docker-free/start.ts';
import { localStackHome, node24 } from '../../scripts/setup.mjs';

console.log(JSON.stringify(await startLocalStack({ home: localStackHome, node: node24 })));
setInterval(() => {}, 60_000);
