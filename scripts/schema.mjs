// `npm run schema`: writes docs/task.schema.json from the schema that synth and workers parse tasks with.
import { writeFileSync } from 'node:fs';
import { register } from 'tsx/esm/api';

const unregister = register();
const { taskJsonSchema } = await import('../lambdas/deliver/schema.ts');
writeFileSync(new URL('../docs/task.schema.json', import.meta.url), `${JSON.stringify(taskJsonSchema(), null, 2)}\n`);
await unregister();
