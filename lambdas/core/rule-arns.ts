/**
 * Parses the ARNs of a task's origins from an environment variable: one ARN for each topic filter of the source, in the order
 * of the filters. The first rule has its ARN, the other rules only their names, because an environment holds 4 KB. A function
 * has its ARN. An empty entry repeats the previous one.
 */
export function readRuleArns(text = ''): string[] {
  const entries = text.split(',');
  const firstRule = entries.find((entry) => entry.includes('/')) ?? '';
  const prefix = firstRule.slice(0, firstRule.lastIndexOf('/') + 1);
  const arns: string[] = [];
  for (const entry of entries) {
    if (entry === '') arns.push(arns.at(-1) ?? '');
    else arns.push(entry.includes(':') ? entry : prefix + entry);
  }
  return arns;
}
