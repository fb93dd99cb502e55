import { printable } from './printable.ts';

/** Aligns rows in columns. Cells are escaped, and lines are cut at the width of the terminal. */
export function table(rows: readonly (readonly string[])[], columns: number): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  return cells
    .map((row) =>
      cut(
        row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd(),
        columns,
      ),
    )
    .join('\n');
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
