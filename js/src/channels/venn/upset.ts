// An UpSet plot: one column per region, one row per class, bars for how many channels.

export interface Group {
  readonly classes: readonly number[];
  readonly size: number;
}

export interface Column<G extends Group> {
  readonly group: G;
  readonly x: number;
  readonly width: number;
  readonly barTop: number;
  readonly barHeight: number;
  /** Middle of each row's dot, and whether the class is one of the region's. */
  readonly dots: readonly { readonly y: number; readonly inside: boolean }[];
  /** From the first to the last dot inside. */
  readonly line: readonly [from: number, to: number];
}

export interface UpSet<G extends Group> {
  readonly width: number;
  readonly height: number;
  readonly barFoot: number;
  readonly rows: readonly { readonly y: number; readonly bar: number }[];
  readonly columns: readonly Column<G>[];
}

export const UPSET = {
  column: 34,
  row: 30,
  bars: 190,
  head: 22,
  gap: 14,
  names: 190,
  sizes: 84,
  longest: 56,
};

/** Columns in order of size, or of how many classes share them. */
export function ordered<G extends Group>(groups: readonly G[], by: "size" | "classes"): G[] {
  const size = (a: G, b: G) => b.size - a.size;
  const degree = (a: G, b: G) => b.classes.length - a.classes.length;
  const [first, second] = by === "size" ? [size, degree] : [degree, size];
  return [...groups].sort((a, b) => first(a, b) || second(a, b));
}

/** Places of everything; `sizes` are how many channels each class has. `room` may widen columns. */
export function upset<G extends Group>(
  groups: readonly G[],
  sizes: readonly number[],
  room: number,
  names = UPSET.names,
): UpSet<G> {
  const left = names + UPSET.sizes + UPSET.gap;
  const free = (room - left) / Math.max(1, groups.length);
  const step = Math.min(64, Math.max(UPSET.column, free));
  const barFoot = UPSET.head + UPSET.bars;
  const most = Math.max(1, ...groups.map((group) => group.size));
  const longest = Math.max(1, ...sizes);
  const rowAt = (i: number) => barFoot + UPSET.gap + UPSET.row * (i + 0.5);
  return {
    width: Math.max(left + step * groups.length, Math.min(room, left)),
    height: rowAt(sizes.length - 0.5) + 4,
    barFoot,
    rows: sizes.map((size, i) => ({ y: rowAt(i), bar: (UPSET.longest * size) / longest })),
    columns: groups.map((group, n) => {
      const dots = sizes.map((_, i) => ({ y: rowAt(i), inside: group.classes.includes(i) }));
      const inside = dots.filter((dot) => dot.inside).map((dot) => dot.y);
      const barHeight = (UPSET.bars * group.size) / most;
      return {
        group,
        x: left + step * n,
        width: step,
        barTop: barFoot - barHeight,
        barHeight,
        dots,
        line: [Math.min(...inside), Math.max(...inside)],
      };
    }),
  };
}
