// Geometry of the tree, on its plane and in the image: from slots to places, in either direction,
// and the links between them; crops around what is looked at.
import type { Place } from "../lib/plane.ts";
import type { Slot } from "../lib/slots.ts";

export type Direction = "right" | "down";

export const TILE = 92;
const CAPTION = 34;
const GUTTER = { right: 50, down: 50 };
const BETWEEN = { right: 8, down: 18 };

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

export type Box = readonly [x0: number, y0: number, x1: number, y1: number];

const LEAST = 1 / 11;
const WHOLE = 0.62;

/** A map's extent in image pixels: its patch at `corner` of a grid that covers the image. */
export function mapBox(
  corner: readonly [number, number],
  extent: readonly [number, number],
  grid: readonly [number, number],
  size: readonly [number, number],
): Box {
  const [cell, row] = [size[1] / Math.max(1, grid[1]), size[0] / Math.max(1, grid[0])];
  return [
    corner[1] * cell,
    corner[0] * row,
    (corner[1] + extent[1]) * cell,
    (corner[0] + extent[0]) * row,
  ];
}

export function union(a: Box, b: Box): Box {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

/** The square around a unit's field, as large as the field. */
export function fieldBox(box: Box, size: readonly [number, number]): Box {
  return square(box[0], box[1], box[2], box[3], size);
}

/** A square around `box` inside the image, no smaller than the part `least` of the image's side;
 * the whole image where the box is most of it. */
export function cropBox(box: Box, size: readonly [number, number], least = LEAST): Box {
  const [height, width] = size;
  const smaller = Math.min(height, width);
  const side = Math.max(box[2] - box[0], box[3] - box[1], smaller * least);
  if (side > smaller * WHOLE) return square(0, 0, width, height, size);
  return square(box[0], box[1], box[2], box[3], size, side);
}

function square(
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  [height, width]: readonly [number, number],
  side = Math.max(x1 - x0, y1 - y0, 1),
): Box {
  const left = inside((x0 + x1 - side) / 2, side, width);
  const top = inside((y0 + y1 - side) / 2, side, height);
  return [left, top, left + side, top + side];
}

// a square larger than the image is centred on it: the tile shows bars at its sides
function inside(start: number, side: number, room: number): number {
  return side >= room ? (room - side) / 2 : Math.min(room - side, Math.max(0, start));
}
