import { styleText } from 'node:util';

type Colour = 'green' | 'yellow' | 'red';

const STATES: Readonly<Record<string, Colour>> = {
  Running: 'green',
  ok: 'green',
  Starting: 'yellow',
  Paused: 'yellow',
  Deleting: 'yellow',
  Ready: 'red',
  'Start Failed': 'red',
  FAILED: 'red',
};

/** Colours the name of a state, where the terminal shows colours. Other text, and the padding, stay unchanged. */
export function colouredState(cell: string, { isColoured }: { readonly isColoured: boolean }): string {
  const name = cell.trimEnd();
  const colour = isColoured && Object.hasOwn(STATES, name) ? STATES[name] : undefined;
  return colour === undefined ? cell : styleText(colour, name, { validateStream: false }) + cell.slice(name.length);
}
