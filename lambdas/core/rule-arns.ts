/**
 * ARNs of a task's origins, one per topic filter of its source, in their order. In the text, the first rule's ARN is whole, the
 * other rules have their names only, a function's ARN is whole, and an empty entry repeats the one before it.
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
