// Circles whose overlaps are as large as the numbers of shared channels, and how far off they are.
import { type ICircle, type ISolution, normalizeSolution, venn } from "@upsetjs/venn.js";
import { type Circle, type Region, regionsOf } from "./regions.ts";
import type { Group } from "./upset.ts";

export interface Diagram {
  readonly circles: readonly Circle[];
  readonly regions: ReadonlyMap<string, Region>;
  readonly width: number;
  readonly height: number;
  readonly misfit: Misfit;
}

interface Misfit {
  /** Sum of what regions are drawn too large or too small, as a part of all channels. */
  readonly total: number;
  /** The region that is farthest off: channels it has, and channels its area stands for. */
  readonly worst: { readonly key: string; readonly size: number; readonly drawn: number } | null;
}

const LABELS = 30;
const EDGE = 6;
const UPRIGHT = Math.PI / 2;

/** The diagram of one to three classes in `width`, no taller than `most`. */
export function diagram(
  groups: readonly Group[],
  count: number,
  width: number,
  most: number,
): Diagram {
  const units = solved(groups, count);
  const drawn = regionsOf(units);
  const box = boundsOf(units);
  const scale = Math.min(
    (width - 2 * EDGE) / Math.max(box.width, 1e-9),
    (most - 2 * LABELS) / Math.max(box.height, 1e-9),
  );
  const height = box.height * scale + 2 * LABELS;
  const circles = units.map(({ x, y, r }) => ({
    x: (x - box.x) * scale + (width - box.width * scale) / 2,
    y: (y - box.y) * scale + LABELS,
    r: r * scale,
  }));
  return { circles, regions: regionsOf(circles), width, height, misfit: misfit(groups, drawn) };
}

/** How far the areas of regions are from their numbers of channels. */
export function misfit(groups: readonly Group[], drawn: ReadonlyMap<string, Region>): Misfit {
  const sizes = new Map(groups.map((group) => [group.classes.join("."), group.size]));
  const keys = new Set([...sizes.keys(), ...drawn.keys()]);
  const all = groups.reduce((sum, group) => sum + group.size, 0);
  let total = 0;
  let worst: Misfit["worst"] = null;
  let farthest = 0;
  for (const key of keys) {
    const one = { key, size: sizes.get(key) ?? 0, drawn: drawn.get(key)?.area ?? 0 };
    const off = Math.abs(one.size - one.drawn);
    total += off;
    if (off > farthest) [worst, farthest] = [one, off];
  }
  return { total: all > 0 ? total / all : 0, worst };
}

// one channel is one unit of area
function solved(groups: readonly Group[], count: number): Circle[] {
  const shared = (classes: readonly number[]) =>
    groups
      .filter((group) => classes.every((i) => group.classes.includes(i)))
      .reduce((sum, group) => sum + group.size, 0);
  const sets = subsets(count).map((classes) => ({
    sets: classes.map(String),
    size: shared(classes),
  }));
  const solution: ISolution = normalizeSolution(venn(sets), UPRIGHT);
  const found = Array.from({ length: count }, (_, i) => solution[String(i)] as ICircle);
  // the first class on the left
  const side = (found[0] as ICircle).x > (found.at(-1) as ICircle).x ? -1 : 1;
  return found.map(({ x, y, radius }) => ({ x: side * x, y, r: radius }));
}

function subsets(count: number): number[][] {
  return Array.from({ length: 2 ** count - 1 }, (_, n) =>
    Array.from({ length: count }, (_, i) => i).filter((i) => ((n + 1) >> i) & 1),
  ).sort((a, b) => a.length - b.length);
}

function boundsOf(circles: readonly Circle[]) {
  const x = Math.min(...circles.map((c) => c.x - c.r));
  const y = Math.min(...circles.map((c) => c.y - c.r));
  return {
    x,
    y,
    width: Math.max(...circles.map((c) => c.x + c.r)) - x,
    height: Math.max(...circles.map((c) => c.y + c.r)) - y,
  };
}
