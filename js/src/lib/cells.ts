// Cells in rows and columns, and where a key leads from one of them.

export interface Place {
  readonly row: number;
  readonly column: number;
}

interface Extent {
  readonly rows: number;
  readonly columns: number;
}

/** The place that a key leads to; null for a key that moves nothing. */
export function moved(from: Place, key: string, { rows, columns }: Extent): Place | null {
  const last = { row: rows - 1, column: columns - 1 };
  const to = {
    ArrowRight: { row: from.row, column: from.column + 1 },
    ArrowLeft: { row: from.row, column: from.column - 1 },
    ArrowDown: { row: from.row + 1, column: from.column },
    ArrowUp: { row: from.row - 1, column: from.column },
    Home: { row: from.row, column: 0 },
    End: { row: from.row, column: last.column },
    PageUp: { row: 0, column: from.column },
    PageDown: { row: last.row, column: from.column },
  }[key];
  if (!to) return null;
  return { row: within(to.row, last.row), column: within(to.column, last.column) };
}

function within(value: number, last: number): number {
  return Math.max(0, Math.min(last, value));
}
