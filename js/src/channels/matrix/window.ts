// A window on a matrix: which cells are seen where, and how they are gathered into pixels.

export interface Window {
  /** The first column and row that are seen, in cells. */
  readonly x: number;
  readonly y: number;
  /** Pixels per column and per row. */
  readonly k: number;
  readonly l: number;
}

export interface Extent {
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
}

export interface Bins {
  /** Cells `edges[i]` up to `edges[i + 1]` are drawn as one. */
  readonly edges: Int32Array;
  /** Where the first is drawn, and how long each is, in pixels. */
  readonly start: number;
  readonly size: number;
}

export const LARGEST = { column: 44, row: 34 };

/** All cells in the window, as large as they may be. */
export function whole({ columns, rows, width, height }: Extent): Window {
  return {
    x: 0,
    y: 0,
    k: Math.min(LARGEST.column, width / Math.max(1, columns)),
    l: Math.min(LARGEST.row, height / Math.max(1, rows)),
  };
}

/** Kept so that the window is full of cells. */
export function clamped(now: Window, extent: Extent): Window {
  const least = whole(extent);
  const k = Math.min(LARGEST.column, Math.max(least.k, now.k));
  const l = Math.min(LARGEST.row, Math.max(least.l, now.l));
  const hold = (at: number, cells: number, seen: number) =>
    Math.max(0, Math.min(at, Math.max(0, cells - seen)));
  return {
    k,
    l,
    x: hold(now.x, extent.columns, extent.width / k),
    y: hold(now.y, extent.rows, extent.height / l),
  };
}

export function panned(now: Window, dx: number, dy: number, extent: Extent): Window {
  return clamped({ ...now, x: now.x - dx / now.k, y: now.y - dy / now.l }, extent);
}

/** Zoomed by `factor` so that what is seen at `(px, py)` stays there. */
export function zoomed(now: Window, px: number, py: number, factor: number, extent: Extent) {
  const sized = clamped({ ...now, k: now.k * factor, l: now.l * factor }, extent);
  const x = now.x + px / now.k - px / sized.k;
  const y = now.y + py / now.l - py / sized.l;
  return clamped({ ...sized, x, y }, extent);
}

/** Moved as little as needed to see a cell, with some of its neighbours. */
export function revealing(now: Window, column: number, row: number, extent: Extent): Window {
  const shift = (at: number, cell: number, seen: number) => {
    const margin = Math.min(2, seen / 4);
    if (cell - margin < at) return cell - margin;
    return cell + 1 + margin > at + seen ? cell + 1 + margin - seen : at;
  };
  const x = shift(now.x, column, extent.width / now.k);
  const y = shift(now.y, row, extent.height / now.l);
  return clamped({ ...now, x, y }, extent);
}

/** The column and row at a point, or null beside the cells. */
export function cellAt(now: Window, px: number, py: number, { columns, rows }: Extent) {
  const [column, row] = [Math.floor(now.x + px / now.k), Math.floor(now.y + py / now.l)];
  const inside = px >= 0 && py >= 0 && column < columns && row < rows;
  return inside ? { column, row } : null;
}

/** Cells along one side: one by one where each has a pixel or more, else gathered by pixels. */
export function binsOf(from: number, size: number, cells: number, length: number): Bins {
  if (size >= 1) {
    const first = Math.max(0, Math.floor(from));
    const last = Math.min(cells, Math.ceil(from + length / size));
    const edges = Int32Array.from({ length: Math.max(0, last - first) + 1 }, (_, i) => first + i);
    return { edges, start: (first - from) * size, size };
  }
  // whole pixels of the whole matrix, so that nothing flickers while it is moved
  const first = Math.floor(from * size);
  const count = Math.max(0, Math.min(Math.ceil(length) + 1, Math.ceil(cells * size) - first));
  const edge = (i: number) => Math.min(cells, Math.floor((first + i) / size));
  const edges = Int32Array.from({ length: count + 1 }, (_, i) => edge(i));
  if (count > 0 && first + count >= cells * size) edges[count] = cells;
  return { edges, start: first - from * size, size: 1 };
}

/** Steps of 1, 2 or 5 times a power of ten that are at least `least` pixels apart. */
export function tickStep(pixels: number, least: number): number {
  const wanted = least / pixels;
  if (wanted <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return ([1, 2, 5].find((n) => n * power >= wanted) ?? 10) * power;
}
