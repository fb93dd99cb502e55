import * as z from 'zod';
import { taskSpec } from '../core/spec.ts';
import { sinks } from './all.ts';

/** Returns the JSON Schema (draft 2020-12) of a task's spec with every sink. It does not check what needs code, such as a pattern's syntax. */
export function taskJsonSchema(): object {
  const options = Object.values(sinks).map((sink) => sink.options);
  const schema = z.toJSONSchema(taskSpec(z.union(options)), { io: 'input' });
  return { title: 'Outflow task', ...schema };
}
