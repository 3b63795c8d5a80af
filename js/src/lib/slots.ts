// The tree in rows and levels. A parent stands in line with its first child, so the strongest
// path is one straight line; the other children follow below it. (A centred tidy tree, as in
// d3-hierarchy, would turn that path into a staircase and need twice the rows.)

export interface Branch {
  readonly key: string;
  readonly children: readonly Branch[];
  /** How many rows the tile itself takes: 1, or less for a stub. */
  readonly size: number;
}

export interface Slot {
  readonly key: string;
  readonly level: number;
  readonly row: number;
  readonly size: number;
}

const FAMILY_GAP = 0.16;

/** Rows of every branch; in one level no two overlap, and no two links cross. Families of a level
 * are `between` rows apart. */
export function layoutSlots(root: Branch, between = FAMILY_GAP): Map<string, Slot> {
  const slots = new Map<string, Slot>();
  const free: number[] = [];
  place(root, 0, 0);
  return slots;

  function first(branch: Branch, level: number): number {
    const here = free[level] ?? 0;
    const child = branch.children[0];
    if (!child) return here;
    const gap = free[level + 1] === undefined ? 0 : between;
    return Math.max(here, first(child, level + 1) + gap);
  }

  function place(branch: Branch, level: number, least: number): void {
    const row = Math.max(least, first(branch, level));
    slots.set(branch.key, { key: branch.key, level, row, size: branch.size });
    free[level] = row + branch.size;
    for (const child of branch.children) place(child, level + 1, row);
  }
}
