// Rings: what a concept rests on stands around it and fills its arc, each as wide as its share. How
// much they explain of it is a thin gauge between the two. What speaks against has no slice.

import { shortened } from "../lib/words.ts";

/** A concept as the rings see it. */
export interface Rings {
  readonly key: string;
  readonly share: number;
  readonly against: boolean;
  /** The share of it that its children leave, null where nothing was inferred below it. */
  readonly unexplained: number | null;
  readonly children: readonly Rings[];
}

/** A slice from `x0` to `x1`, in parts of the whole turn; `unexplained` is what its gauge shows. */
export interface Slice {
  readonly key: string;
  readonly depth: number;
  readonly x0: number;
  readonly x1: number;
  readonly unexplained: number | null;
}

/** All slices, those of inner rings first within each branch. */
export function slicesOf(root: Rings): Slice[] {
  const found: Slice[] = [];
  const place = (one: Rings, depth: number, x0: number, x1: number): void => {
    const { key, unexplained } = one;
    found.push({ key, depth, x0, x1, unexplained });
    const shown = one.children.filter((child) => !child.against && child.share > 0);
    const whole = shown.reduce((sum, child) => sum + child.share, 0);
    let before = 0;
    for (const child of shown) {
      const [start, end] = [before / whole, (before + child.share) / whole];
      place(child, depth + 1, x0 + start * (x1 - x0), x0 + end * (x1 - x0));
      before += child.share;
    }
  };
  place(root, 0, 0, 1);
  return found;
}

const TURN = 2 * Math.PI;

/** Where a slice is drawn: angles in parts of a turn, radii in pixels. */
export interface Arc {
  readonly x0: number;
  readonly x1: number;
  readonly r0: number;
  readonly r1: number;
}

const CENTRE = 0.3; // of the radius
const THICKNESS = [1.3, 1.1, 0.85, 0.6]; // of the rings, from within

/** Radii of the rings' edges, the centre's first, for `rings` rings around it. */
export function radii(radius: number, rings: number): number[] {
  const sizes = Array.from({ length: rings }, (_, i) => THICKNESS[i] ?? 0.6);
  const whole = sizes.reduce((sum, one) => sum + one, 0) || 1;
  let r = CENTRE * radius;
  const edges = [r];
  for (const one of sizes) {
    r += (one / whole) * radius * (1 - CENTRE);
    edges.push(r);
  }
  return edges;
}

/** Where a slice is drawn when `centre` is in the middle; slices outside of it have no width. */
export function arcOf(slice: Slice, centre: Slice, edges: readonly number[]): Arc {
  const wide = centre.x1 - centre.x0 || 1;
  const at = (x: number) => Math.min(1, Math.max(0, (x - centre.x0) / wide));
  const ring = slice.depth - centre.depth;
  const edge = (i: number) => (i < 0 ? 0 : (edges[Math.min(i, edges.length - 1)] as number));
  return { x0: at(slice.x0), x1: at(slice.x1), r0: edge(ring - 1), r1: edge(ring) };
}

/** What of an arc is its own, and the gauge along its outer edge. */
interface Gauge {
  readonly body: Arc;
  readonly explained: Arc;
  readonly rest: Arc;
}

const GAP = 1; // pixels around a gauge

/** Room for a gauge so many pixels thick, gray from where its concept is left unexplained. */
export function gaugeOf(arc: Arc, unexplained: number, thick: number): Gauge {
  const r1 = Math.max(arc.r0, arc.r1 - GAP);
  const r0 = Math.max(arc.r0, r1 - thick);
  const size = arc.x1 - arc.x0;
  const apart = size >= 1 - 1e-6 ? 0 : Math.min(0.15 * size, r1 > 0 ? GAP / (TURN * r1) : 0);
  const [x0, x1] = [arc.x0 + apart, arc.x1 - apart];
  const turn = x1 - Math.min(1, Math.max(0, unexplained)) * (x1 - x0);
  return {
    body: { ...arc, r1: Math.max(arc.r0, r0 - GAP) },
    explained: { x0, x1: turn, r0, r1 },
    rest: { x0: turn, x1, r0, r1 },
  };
}

/** Between two arcs, at `t` from 0 to 1. */
export function between(a: Arc, b: Arc, t: number): Arc {
  const mix = (from: number, to: number) => from + (to - from) * t;
  return { x0: mix(a.x0, b.x0), x1: mix(a.x1, b.x1), r0: mix(a.r0, b.r0), r1: mix(a.r1, b.r1) };
}

/** A point at a part of the turn, from the top, clockwise. */
function pointAt(x: number, r: number): [number, number] {
  return [r * Math.sin(x * TURN), -r * Math.cos(x * TURN)];
}

/** The outline of an arc as a path around (0, 0); a whole ring where it goes all around. */
export function arcPath({ x0, x1, r0, r1 }: Arc): string {
  const size = x1 - x0;
  if (size <= 0 || r1 <= r0) return "";
  if (size >= 1 - 1e-6) return `${ring(r1, 1)}${r0 > 0 ? ring(r0, 0) : ""}`;
  const large = size > 0.5 ? 1 : 0;
  const point = (x: number, r: number) => pointAt(x, r).map(n).join(",");
  const outer = `M${point(x0, r1)}A${n(r1)},${n(r1)} 0 ${large} 1 ${point(x1, r1)}`;
  const inner =
    r0 > 0 ? `L${point(x1, r0)}A${n(r0)},${n(r0)} 0 ${large} 0 ${point(x0, r0)}` : "L0,0";
  return `${outer}${inner}Z`;
}

/** A circle; a hole goes the other way round. */
function ring(r: number, way: 0 | 1): string {
  const half = (y: number) => `A${n(r)},${n(r)} 0 1 ${way} 0,${n(y)}`;
  return `M0,${n(-r)}${half(r)}${half(-r)}Z`;
}

function n(value: number): number {
  return Math.round(value * 100) / 100;
}

interface Label {
  readonly x: number;
  readonly y: number;
  /** Degrees, so that no label stands on its head. */
  readonly turn: number;
}

const AIR = 5;

/** Where words of this size fit into an arc, along its radius or across it; null if nowhere. */
export function labelIn(arc: Arc, width: number, height: number): Label | null {
  const middle = (arc.x0 + arc.x1) / 2;
  const r = (arc.r0 + arc.r1) / 2;
  const thick = arc.r1 - arc.r0;
  const [x, y] = pointAt(middle, r);
  // words are straight: across a curved arc they need its sagitta, too
  const bow = r - Math.sqrt(Math.max(0, r * r - (width / 2) ** 2));
  const chord = arc.x1 - arc.x0 >= 0.5 ? 2 * r : 2 * r * Math.sin(((arc.x1 - arc.x0) * TURN) / 2);
  if (width + 2 * AIR <= chord && height + bow + 2 <= thick && width < 1.6 * r)
    return { x, y, turn: upright(middle * 360) };
  const across = (arc.x1 - arc.x0) * TURN * arc.r0;
  if (width + 2 * AIR <= thick && height <= across) return { x, y, turn: radial(middle * 360) };
  return null;
}

const SHORTER = [20, 14, 10, 7]; // letters of a name that does not fit whole

/** A name of this width where it fits, whole or shortened in its middle; null if nowhere. */
export function nameIn(arc: Arc, name: string, width: number, height: number) {
  for (const most of [name.length, ...SHORTER.filter((n) => n < name.length)]) {
    const at = labelIn(arc, (width * most) / name.length, height);
    if (at) return { ...at, text: shortened(name, most) };
  }
  return null;
}

function upright(degrees: number): number {
  return degrees > 90 && degrees < 270 ? degrees - 180 : degrees > 270 ? degrees - 360 : degrees;
}

function radial(degrees: number): number {
  return degrees < 180 ? degrees - 90 : degrees - 270;
}
