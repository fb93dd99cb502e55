/** ARNs of a task's rules, from a text that has the first whole and of the others, which differ by their names, only those. */
export function readRuleArns(text = ''): string[] {
  const [first = '', ...others] = text.split(',');
  const prefix = first.slice(0, first.lastIndexOf('/') + 1);
  return [first, ...others.map((name) => prefix + name)];
}
