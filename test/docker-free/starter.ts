// Starts LocalStack, prints its pid and folders, and is then killed by the test.

import { localStackHome, node24 } from '../../localstack/cache.mjs';
import { startLocalStack } from '../../localstack/docker-free/start.ts';

console.log(JSON.stringify(await startLocalStack({ home: localStackHome, node: node24 })));
setInterval(() => {}, 60_000);
