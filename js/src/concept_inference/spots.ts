// Where the cards of concepts stand: levels as columns, or an outline where there is little room.
import { type Branch, layoutSlots } from "../lib/slots.ts";

export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** How cards are arranged in a width: `shape` is how one card is laid out. */
export interface Frame {
  readonly shape: "beside" | "stacked" | "outline";
  readonly width: number;
  readonly gutter: number;
  /** Side of one map. */
  readonly map: number;
}

const OUTLINE = { below: 620, indent: 20, map: 50 };
const ROW_GAP = 14;
const BESIDE = 168; // from this width of a card on, its words stand beside its map
const MAP = { beside: 0.42, least: 56, most: 112, stacked: 0.45 };
const EDGE = 14; // of a card, on both sides together

/** The frame for so many levels of concepts, each with so many maps, in `width` pixels. */
export function frameOf(width: number, levels: number, sets: number): Frame {
  if (width < OUTLINE.below) {
    const map = sets > 3 ? OUTLINE.map * 0.7 : OUTLINE.map;
    return { shape: "outline", width, gutter: OUTLINE.indent, map };
  }
  const gutter = Math.min(76, Math.max(32, width * 0.045));
  const card = (width - gutter * (levels - 1)) / Math.max(1, levels);
  if (sets === 1 && card >= BESIDE) {
    const map = Math.min(MAP.most, Math.max(MAP.least, card * MAP.beside));
    return { shape: "beside", width: card, gutter, map };
  }
  const across = Math.min(3, sets);
  const room = Math.min(MAP.most, (card - EDGE - 6 * (across - 1)) / across);
  const map = sets === 1 ? Math.max(40, card * MAP.stacked) : room;
  return { shape: "stacked", width: card, gutter, map };
}

/** The place of every card, by key; cards are `height` tall. */
export function spots(root: Branch, frame: Frame, height: number): Map<string, Spot> {
  const row = height + (frame.shape === "outline" ? 6 : ROW_GAP);
  if (frame.shape === "outline") return outlined(root, frame, row);
  const found = new Map<string, Spot>();
  for (const { key, level, row: at } of layoutSlots(root, 0).values()) {
    const x = level * (frame.width + frame.gutter);
    found.set(key, { x, y: at * row, width: frame.width });
  }
  return found;
}

function outlined(root: Branch, frame: Frame, row: number): Map<string, Spot> {
  const found = new Map<string, Spot>();
  const visit = (branch: Branch, depth: number): void => {
    const x = depth * frame.gutter;
    found.set(branch.key, { x, y: found.size * row, width: frame.width - x });
    for (const child of branch.children) visit(child, depth + 1);
  };
  visit(root, 0);
  return found;
}

/** One strand of a link: the part of a concept's children that one set gives to one of them. */
export interface Strand {
  readonly from: string;
  readonly to: string;
  readonly set: number;
  readonly part: number;
  /** How much of the concept all of them explain, 0 to 1. */
  readonly explained: number;
  readonly against: boolean;
}

interface Link extends Strand {
  readonly path: string;
  readonly width: number;
}

const FULL = { one: 30, all: 44, outline: 9 };
const THIN = 1.6;

/** How wide the whole of a concept's children is, for each of so many sets. */
export function fullWidth(sets: number, frame: Frame): number {
  if (frame.shape === "outline") return FULL.outline / Math.sqrt(sets);
  return sets === 1 ? FULL.one : Math.max(9, FULL.all / sets);
}

/** Links side by side where they leave and where they arrive. Together those of a concept are as wide
 * as it is explained, each by its part of the weights. */
export function links(
  strands: readonly Strand[],
  places: ReadonlyMap<string, Spot>,
  frame: Frame,
  height: number,
  sets: number,
): Link[] {
  const full = fullWidth(sets, frame);
  const wide = (one: Strand) => Math.max(THIN, one.part * one.explained * full);
  const leaving = stacked(strands, "from", wide);
  const arriving = stacked(strands, "to", wide);
  return strands.flatMap((one, i) => {
    const [from, to] = [places.get(one.from), places.get(one.to)];
    if (!from || !to) return [];
    const path =
      frame.shape === "outline"
        ? elbow(from, to, frame, height, arriving[i] as number)
        : curve(from, to, height, leaving[i] as number, arriving[i] as number);
    return [{ ...one, path, width: wide(one) }];
  });
}

function curve(from: Spot, to: Spot, height: number, start: number, end: number): string {
  const [x0, y0] = [from.x + from.width, from.y + height / 2 + start];
  const [x1, y1] = [to.x, to.y + height / 2 + end];
  const middle = (x0 + x1) / 2;
  return `M${n(x0)},${n(y0)}C${n(middle)},${n(y0)} ${n(middle)},${n(y1)} ${n(x1)},${n(y1)}`;
}

function elbow(from: Spot, to: Spot, frame: Frame, height: number, shift: number): string {
  const x = from.x + frame.gutter / 2 + shift;
  const [top, bottom] = [from.y + height, to.y + height / 2 + shift];
  const bend = Math.min(8, bottom - top);
  return `M${n(x)},${n(top)}V${n(bottom - bend)}Q${n(x)},${n(bottom)} ${n(x + bend)},${n(bottom)}H${n(to.x)}`;
}

/** The middle of each strand, one beside the other around zero, among those with the same end. */
function stacked(
  strands: readonly Strand[],
  end: "from" | "to",
  wide: (one: Strand) => number,
): number[] {
  const sums = new Map<string, number>();
  for (const one of strands) sums.set(one[end], (sums.get(one[end]) ?? 0) + wide(one));
  const next = new Map<string, number>();
  return strands.map((one) => {
    const start = next.get(one[end]) ?? -(sums.get(one[end]) as number) / 2;
    next.set(one[end], start + wide(one));
    return start + wide(one) / 2;
  });
}

function n(value: number): number {
  return Math.round(value * 10) / 10;
}

/** How tall all cards are together. */
export function tall(places: ReadonlyMap<string, Spot>, height: number): number {
  return Math.max(0, ...[...places.values()].map((one) => one.y + height));
}
