// A grid of cards of which only those in sight exist, and the outline of a mask: pure geometry.

/** Pixels: the least width of a card, what is below its square of images, between two cards. */
export const CARD = { width: 150, foot: 22, gap: 8 } as const;

export interface Shape {
  readonly columns: number;
  readonly rows: number;
  /** Pixels of a card's width: the columns fill the room. */
  readonly width: number;
  readonly tall: number;
  /** Pixels of all rows. */
  readonly height: number;
}

/** How so many cards stand in a room of this width. */
export function shapeOf(count: number, room: number): Shape {
  const step = CARD.width + CARD.gap;
  const columns = Math.max(1, Math.floor((room + CARD.gap) / step));
  const rows = Math.ceil(count / columns);
  const width = Math.max(1, (room + CARD.gap) / columns - CARD.gap);
  const tall = width + CARD.foot;
  return { columns, rows, width, tall, height: rows * (tall + CARD.gap) };
}

/** The left and upper edge of a card. */
export function placeOf(i: number, shape: Shape): { x: number; y: number } {
  return {
    x: (i % shape.columns) * (shape.width + CARD.gap),
    y: Math.floor(i / shape.columns) * (shape.tall + CARD.gap),
  };
}

/** The cards in sight, with `beyond` rows above and below: from the first up to before the last. */
export function inSight(
  count: number,
  shape: Shape,
  scrolled: number,
  height: number,
  beyond = 2,
): [first: number, last: number] {
  const row = shape.tall + CARD.gap;
  const first = Math.max(0, Math.floor(scrolled / row) - beyond);
  const last = Math.ceil((scrolled + height) / row) + beyond;
  return [Math.min(count, first * shape.columns), Math.min(count, last * shape.columns)];
}

/** How far to scroll so that a card is wholly in sight; as it is where it already is. */
export function scrolledTo(i: number, shape: Shape, scrolled: number, height: number): number {
  const { y } = placeOf(i, shape);
  const end = y + shape.tall + 2 * CARD.gap;
  return y < scrolled ? y : end > scrolled + height ? end - height : scrolled;
}

/** The card that a key leads to, or null where it leads nowhere. */
export function moved(
  i: number,
  key: string,
  count: number,
  columns: number,
  page = 3,
): number | null {
  const step: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -page * columns,
    PageDown: page * columns,
  };
  if (key === "Home") return count > 0 ? 0 : null;
  if (key === "End") return count > 0 ? count - 1 : null;
  const by = step[key];
  if (by === undefined) return null;
  const next = i + by;
  if (next >= 0 && next < count) return next;
  if (!key.startsWith("Page")) return null;
  return by < 0 ? i % columns : count - 1;
}

/** The edges of a square mask as loops `[x, y, x, y, ...]` in its pixels, through the middles of
 * the pixels' sides, so that a slanted edge is a line and no stair. */
export function outline(mask: Uint8Array, side: number): number[][] {
  const left = edges(mask, side);
  const found: number[][] = [];
  for (const start of [...left.keys()]) {
    while ((left.get(start)?.length ?? 0) > 0) found.push(loop(left, start, side + 1));
  }
  return found;
}

type Edges = Map<number, number[]>;

/** Sides of pixels between the mask and the rest, by the corner they start at; the mask is on the
 * right of each. */
function edges(mask: Uint8Array, side: number): Edges {
  const found: Edges = new Map();
  const inside = (y: number, x: number) =>
    y >= 0 && x >= 0 && y < side && x < side && mask[y * side + x] === 1;
  const corner = (y: number, x: number) => y * (side + 1) + x;
  const add = (from: number, to: number) => found.set(from, [...(found.get(from) ?? []), to]);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      if (!inside(y, x)) continue;
      if (!inside(y - 1, x)) add(corner(y, x), corner(y, x + 1));
      if (!inside(y, x + 1)) add(corner(y, x + 1), corner(y + 1, x + 1));
      if (!inside(y + 1, x)) add(corner(y + 1, x + 1), corner(y + 1, x));
      if (!inside(y, x - 1)) add(corner(y + 1, x), corner(y, x));
    }
  return found;
}

/** Follow edges from a corner until they come back to it, and take them away. */
function loop(left: Edges, start: number, corners: number): number[] {
  const points: number[] = [];
  let at = start;
  do {
    const next = left.get(at)?.pop() as number;
    const [x, y] = [at % corners, Math.floor(at / corners)];
    points.push((x + (next % corners)) / 2, (y + Math.floor(next / corners)) / 2);
    at = next;
  } while (at !== start);
  return points;
}

/** One mask of many from their bits, the most significant first, rows one after the other. */
export function unpacked(bits: Uint8Array, i: number, side: number): Uint8Array {
  const bytes = Math.ceil((side * side) / 8);
  if ((i + 1) * bytes > bits.length) throw new RangeError(`there is no mask ${i}`);
  return Uint8Array.from(
    { length: side * side },
    (_, at) => ((bits[i * bytes + (at >> 3)] as number) >> (7 - (at & 7))) & 1,
  );
}
