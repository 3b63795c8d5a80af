// From slots to places on the plane, in either direction, and the links between them.
import type { Slot } from "../lib/slots.ts";

export type Direction = "right" | "down";

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const TILE = 92;
const CAPTION = 48;
const GUTTER = { right: 50, down: 50 };
const BETWEEN = { right: 6, down: 18 };

/** Distance from level to level and from row to row. */
export function pitch(direction: Direction): { level: number; row: number } {
  return direction === "right"
    ? { level: TILE + GUTTER.right, row: TILE + CAPTION + BETWEEN.right }
    : { level: TILE + CAPTION + GUTTER.down, row: TILE + BETWEEN.down };
}

export function placeOf(slot: Slot, direction: Direction): Place {
  const step = pitch(direction);
  const along = slot.level * step.level;
  const across = slot.row * step.row;
  const room = slot.size * step.row - BETWEEN[direction];
  return direction === "right"
    ? { x: along, y: across, width: TILE, height: Math.max(room, 26) }
    : { x: across, y: along, width: Math.max(room, 26), height: TILE + CAPTION };
}

export function bounds(places: Iterable<Place>): Place {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, width, height } of places) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  }
  if (left > right) return { x: 0, y: 0, width: 0, height: 0 };
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** A link from the middle of the parent's edge to the middle of the child's. */
export function linkPath(parent: Place, child: Place, direction: Direction): string {
  if (direction === "right") {
    const from = [parent.x + parent.width, parent.y + Math.min(TILE, parent.height) / 2] as const;
    const to = [child.x, child.y + Math.min(TILE, child.height) / 2] as const;
    const middle = (from[0] + to[0]) / 2;
    return `M${from}C${middle},${from[1]} ${middle},${to[1]} ${to}`;
  }
  const from = [parent.x + parent.width / 2, parent.y + parent.height] as const;
  const to = [child.x + child.width / 2, child.y] as const;
  const middle = (from[1] + to[1]) / 2;
  return `M${from}C${from[0]},${middle} ${to[0]},${middle} ${to}`;
}

/** A link as wide as the share, never too thin to be seen. */
export function linkWidth(share: number): number {
  return 1.5 + 20 * Math.min(1, Math.max(0, share));
}
