// Starts LocalStack, prints its pid and folders, and is then killed by the test.

import { localStackHome } from '../../localstack/docker-free/install.mjs';
import { node24 } from '../../localstack/docker-free/node24.mjs';
import { startLocalStack } from '../../localstack/docker-free/start.ts';

console.log(JSON.stringify(await startLocalStack({ home: localStackHome, node: node24 })));
setInterval(() => {}, 60_000);
