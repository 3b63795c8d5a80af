// A region on a grid over an image: which cells are covered, and how a square brush changes them.

/** Cells row by row, 1 where covered; a change makes a new one. */
export type Mask = Uint8Array;

export interface Cell {
  readonly row: number;
  readonly column: number;
}

interface Square {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

export function emptyMask(grid: number): Mask {
  return new Uint8Array(grid * grid);
}

/** Which share of the cells is covered. */
export function shareOf(mask: Mask): number {
  let count = 0;
  for (const value of mask) count += value;
  return mask.length ? count / mask.length : 0;
}

export function sameMask(a: Mask, b: Mask): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

const within = (value: number, most: number) => Math.min(most, Math.max(0, value));

/** The cell at a place in a box of this size; places outside belong to the cells at the border. */
export function cellAt(
  x: number,
  y: number,
  box: { width: number; height: number },
  grid: number,
): Cell {
  const part = (at: number, size: number) =>
    within(Math.floor((at / (size || 1)) * grid), grid - 1);
  return { row: part(y, box.height), column: part(x, box.width) };
}

/** The cells of a brush of `size` cells a side around a cell, cut at the border. */
export function brushAt(cell: Cell, size: number, grid: number): Square {
  const before = Math.floor((size - 1) / 2);
  const [top, left] = [within(cell.row - before, grid), within(cell.column - before, grid)];
  const bottom = within(cell.row - before + size, grid);
  const right = within(cell.column - before + size, grid);
  return { row: top, column: left, rows: bottom - top, columns: right - left };
}

/** All cells from one to another, both with them, no two further apart than a step. */
export function cellsBetween(from: Cell, to: Cell): Cell[] {
  const [down, across] = [to.row - from.row, to.column - from.column];
  const steps = Math.max(Math.abs(down), Math.abs(across));
  return Array.from({ length: steps + 1 }, (_, i) => {
    const part = steps === 0 ? 0 : i / steps;
    return {
      row: Math.round(from.row + part * down),
      column: Math.round(from.column + part * across),
    };
  });
}

/** A mask after a stroke of the brush from a cell to another: covered, or uncovered again. */
export function stroked(
  mask: Mask,
  grid: number,
  from: Cell,
  to: Cell,
  size: number,
  covers: boolean,
): Mask {
  const next = mask.slice();
  for (const cell of cellsBetween(from, to)) {
    const { row, column, rows, columns } = brushAt(cell, size, grid);
    for (let y = row; y < row + rows; y++) {
      next.fill(covers ? 1 : 0, y * grid + column, y * grid + column + columns);
    }
  }
  return next;
}

const STEPS: Record<string, readonly [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Where an arrow key takes the brush; null for another key. */
export function movedBy(key: string, cell: Cell, step: number, grid: number): Cell | null {
  const way = STEPS[key];
  if (!way) return null;
  return {
    row: within(cell.row + way[0] * step, grid - 1),
    column: within(cell.column + way[1] * step, grid - 1),
  };
}

type Edge = readonly [x0: number, y0: number, x1: number, y1: number];

/** The border between what is covered and what is not, as lines in cells; runs are joined. */
export function outline(mask: Mask, grid: number): Edge[] {
  const at = (row: number, column: number) =>
    row < 0 || column < 0 || row >= grid || column >= grid ? 0 : (mask[row * grid + column] ?? 0);
  const edges: Edge[] = [];
  for (let line = 0; line <= grid; line++) {
    const across = (i: number) => at(line - 1, i) !== at(line, i);
    for (const [start, end] of runs(grid, across)) edges.push([start, line, end, line]);
    const upright = (i: number) => at(i, line - 1) !== at(i, line);
    for (const [start, end] of runs(grid, upright)) edges.push([line, start, line, end]);
  }
  return edges;
}

function runs(length: number, holds: (i: number) => boolean): [number, number][] {
  const found: [number, number][] = [];
  let start = -1;
  for (let i = 0; i <= length; i++) {
    const inside = i < length && holds(i);
    if (inside && start < 0) start = i;
    if (!inside && start >= 0) {
      found.push([start, i]);
      start = -1;
    }
  }
  return found;
}
