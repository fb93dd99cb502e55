import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from './layout.ts';

/** Writes a file of the broker's folder. A running broker never reads half of it. */
export function writeFile({ folder }: Layout, name: string, text: string): void {
  const file = join(folder, name);
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** An XML element with escaped text, or with elements in it. Children that are `undefined` are left out. */
export function element(name: string, content: string | number | boolean | readonly (Xml | undefined)[]): Xml {
  const inner = Array.isArray(content)
    ? content
        .filter((child) => child !== undefined)
        .map(({ xml }) => xml)
        .join('')
    : String(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return { xml: `<${name}>${inner}</${name.split(' ')[0]}>\n` };
}

export interface Xml {
  readonly xml: string;
}
