// Which part of the image a node's tile shows.

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
