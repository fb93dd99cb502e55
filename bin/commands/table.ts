import { printable } from './printable.ts';

/** Narrowest last column that is wrapped; in a narrower terminal its text follows on lines of its own. */
const MIN_LAST_COLUMN = 24;

/**
 * Aligns rows in columns. Cells are escaped. The last column is wrapped at the width of the terminal, so that no reason is cut.
 *
 * @param paint Colours a padded cell of the table's body, by its column. @default no colour
 */
export function table(
  rows: readonly (readonly string[])[],
  columns: number,
  paint: (cell: string, column: number) => string = (cell) => cell,
): string {
  const cells = rows.map((row) => row.map(printable));
  const last = (cells[0]?.length ?? 1) - 1;
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const start = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
  const isNarrow = columns - start < MIN_LAST_COLUMN && start + widths[last]! > columns;
  const indent = isNarrow ? 4 : start;
  return cells
    .map((row, n) => {
      const padded = row.slice(0, last).map((cell, i) => cell.padEnd(widths[i]!));
      const painted = n === 0 ? padded : padded.map(paint);
      const head = painted.map((cell) => `${cell}  `).join('');
      const lines = wrapped(row[last] ?? '', columns - indent).map((line) => (n === 0 ? line : paint(line, last)));
      const rest = isNarrow ? lines : lines.slice(1);
      return [
        isNarrow ? head.trimEnd() : `${head}${lines[0]}`.trimEnd(),
        ...rest.map((line) => ' '.repeat(indent) + line),
      ]
        .filter((line) => line.trim() !== '')
        .join('\n');
    })
    .join('\n');
}

/** Breaks text into lines, between words where it can. Nothing is left out. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  const room = Math.max(8, width);
  while (rest.length > room) {
    const space = rest.lastIndexOf(' ', room);
    const end = space > 0 ? space : room;
    lines.push(rest.slice(0, end));
    rest = rest.slice(space > 0 ? end + 1 : end);
  }
  return [...lines, rest];
}

/** Cuts text to a number of characters. */
export function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, Math.max(0, characters - 1))}…`;
}

/** A duration in the largest fitting unit. */
export function span(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds >= 2 * size) ?? UNITS.at(-1)!;
  return `${Math.round(seconds / size)} ${unit}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** A time as `2026-11-21 09:00:00`, in UTC. */
export function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString().replace('T', ' ').slice(0, 19);
}
