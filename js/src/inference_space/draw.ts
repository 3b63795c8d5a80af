// Draws the plot: the box behind, what the sets are, and their points from back to front.
import { inks } from "../lib/theme.ts";
import { COLOURS, marker } from "./markers.ts";
import type { Group, Space } from "./payload.ts";
import { backToFront, depths, type Seen, type Sight, type Vector } from "./projection.ts";
import type { Pair, Spread } from "./session.ts";
import { axisName, distance, pointName } from "./words.ts";

/** What is to be drawn, and how it is seen. */
interface Scene {
  readonly space: Space;
  readonly sight: Sight;
  readonly seen: readonly Seen[];
  readonly width: number;
  readonly height: number;
  readonly spread: Spread;
  readonly pair: Pair | null;
  readonly chosen: readonly number[];
  readonly looked: number | null;
}

type Inks = ReturnType<typeof inksOf>;

interface Brush extends Scene {
  readonly pen: CanvasRenderingContext2D;
  readonly inks: Inks;
  readonly letters: number;
}

const PALE = 0.14; // of a set that is not looked at
const FAR = 0.68; // of the farthest point
const AWAY = 20; // from an axis to its name

function inksOf(element: Element) {
  const sets = Array.from({ length: COLOURS }, (_, i) => `set-${i}`);
  return {
    ...inks(element, "ink", "soft", "ground", "well", "edge", "accent"),
    sets: Object.values(inks(element, ...sets)),
    font: getComputedStyle(element).fontFamily,
  };
}

/** How large a mark is in a plot of this width. */
export function markSize(width: number): number {
  return Math.min(8.5, Math.max(4.5, width / 105));
}

export function draw(canvas: HTMLCanvasElement, scene: Scene, ratio: number): void {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const letters = Math.min(17, Math.max(12, scene.width / 46));
  const brush: Brush = { ...scene, pen, inks: inksOf(canvas), letters };
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, scene.width, scene.height);
  pen.lineJoin = "round";
  walls(brush);
  scene.space.payload.groups.forEach((group, set) => {
    if (scene.spread === "ellipsoids") ellipsoid(brush, group, set);
    if (scene.spread === "spokes") spokes(brush, group, set);
  });
  points(brush);
  between(brush);
  names(brush);
}

function pale({ pair }: Brush, set: number): boolean {
  return pair !== null && !pair.includes(set);
}

function tint({ inks }: Brush, set: number): string {
  return inks.sets[set % COLOURS] as string;
}

function trace(pen: CanvasRenderingContext2D, corners: readonly Seen[]): void {
  pen.beginPath();
  for (const { x, y } of corners) pen.lineTo(x, y);
  pen.closePath();
}

function walls(brush: Brush): void {
  const { pen, inks, sight } = brush;
  for (const wall of sight.walls()) {
    trace(pen, wall);
    pen.globalAlpha = 0.35;
    pen.fillStyle = inks.well;
    pen.fill();
    pen.globalAlpha = 0.7;
    pen.strokeStyle = inks.edge;
    pen.lineWidth = 1;
    pen.stroke();
  }
  pen.globalAlpha = 1;
  for (const axis of [0, 1, 2]) axisLine(brush, axis);
}

function line(
  pen: CanvasRenderingContext2D,
  from: Seen,
  to: Seen,
  colour: string,
  width: number,
): void {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x, to.y);
  pen.stroke();
}

function axisLine(brush: Brush, axis: number): void {
  const { pen, inks, sight, space, width, height } = brush;
  const [start, end] = sight.edge(axis);
  line(pen, start, end, inks.soft, 1.5);
  const [x, y] = [(start.x + end.x) / 2, (start.y + end.y) / 2];
  const [dx, dy] = [x - width / 2, y - height / 2];
  const long = Math.hypot(dx, dy) || 1;
  const align = Math.abs(dx) < 0.4 * long ? "center" : dx > 0 ? "left" : "right";
  const words = axisName(space, axis);
  write(brush, words, x + (AWAY * dx) / long, y + (AWAY * dy) / long, align, inks.ink);
}

function write(
  { pen, inks, letters, width }: Brush,
  words: string,
  x: number,
  y: number,
  align: CanvasTextAlign,
  colour: string,
  weight = 400,
): void {
  pen.font = `${weight} ${letters}px ${inks.font}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const wide = pen.measureText(words).width;
  const wanted = align === "left" ? x : align === "right" ? x - wide : x - wide / 2;
  const left = Math.max(4, Math.min(width - wide - 4, wanted));
  pen.strokeStyle = inks.ground;
  pen.lineWidth = 4;
  pen.strokeText(words, left, y);
  pen.fillStyle = colour;
  pen.fillText(words, left, y);
}

function ellipsoid(brush: Brush, { axes, centre }: Group, set: number): void {
  if (!axes || pale(brush, set)) return;
  const { pen, sight } = brush;
  const { x, y } = sight.see(centre);
  pen.fillStyle = pen.strokeStyle = tint(brush, set);
  const [first, second, third] = axes as [Vector, Vector, Vector];
  pen.lineWidth = 1;
  for (const ring of [
    [first, second],
    [first, third],
  ]) {
    oval(brush, x, y, ring);
    pen.globalAlpha = 0.3;
    pen.stroke();
  }
  oval(brush, x, y, axes);
  pen.globalAlpha = 0.12;
  pen.fill();
  pen.globalAlpha = 0.95;
  pen.lineWidth = 1.75;
  pen.stroke();
  pen.globalAlpha = 1;
}

function oval({ pen, sight }: Brush, x: number, y: number, axes: readonly Vector[]): void {
  const { rx, ry, angle } = sight.ellipse(axes);
  pen.beginPath();
  pen.ellipse(x, y, rx, ry, angle, 0, 2 * Math.PI);
}

function spokes(brush: Brush, { centre }: Group, set: number): void {
  if (pale(brush, set)) return;
  const { pen, sight, seen, space } = brush;
  const middle = sight.see(centre);
  pen.strokeStyle = tint(brush, set);
  pen.globalAlpha = 0.6;
  pen.lineWidth = 1.25;
  pen.beginPath();
  seen.forEach(({ x, y }, i) => {
    if (space.points[i]?.set !== set) return;
    pen.moveTo(middle.x, middle.y);
    pen.lineTo(x, y);
  });
  pen.stroke();
  pen.globalAlpha = 1;
}

function points(brush: Brush): void {
  const { seen, space, pen, inks } = brush;
  const depth = depths(seen);
  const size = markSize(brush.width);
  const weak = (i: number) => pale(brush, space.points[i]?.set ?? 0);
  const order = backToFront(seen);
  for (const i of [...order.filter(weak), ...order.filter((i) => !weak(i))]) {
    const [{ x, y }, near, set] = [seen[i] as Seen, depth[i] ?? 1, space.points[i]?.set ?? 0];
    pen.globalAlpha = weak(i) ? PALE : FAR + (1 - FAR) * near;
    mark(brush, set, x, y, size * (0.8 + 0.35 * near));
  }
  pen.globalAlpha = 1;
  for (const i of brush.chosen) circle(brush, i, inks.accent, 3);
  if (brush.looked !== null) circle(brush, brush.looked, inks.ink, 2);
}

function mark({ pen, inks, ...brush }: Brush, set: number, x: number, y: number, size: number) {
  pen.beginPath();
  for (const [dx, dy] of marker(set)) pen.lineTo(x + dx * size, y + dy * size);
  pen.closePath();
  pen.fillStyle = tint({ pen, inks, ...brush }, set);
  pen.fill();
  pen.strokeStyle = inks.ground;
  pen.lineWidth = 1;
  pen.stroke();
}

function circle(brush: Brush, i: number, colour: string, wide: number): void {
  const { pen, seen, width } = brush;
  const { x, y } = seen[i] as Seen;
  pen.beginPath();
  pen.arc(x, y, 1.35 * markSize(width) + 4, 0, 2 * Math.PI);
  pen.strokeStyle = colour;
  pen.lineWidth = wide;
  pen.stroke();
}

/** The line between the centres of two chosen sets, with their distance in the table. */
function between(brush: Brush): void {
  const { pen, pair, space, sight, inks } = brush;
  if (!pair || pair[0] === pair[1]) return;
  const { groups, table } = space.payload;
  const [from, to] = pair.map((set) => sight.see(groups[set]?.centre ?? [0, 0, 0])) as [Seen, Seen];
  pen.setLineDash([7, 5]);
  line(pen, from, to, inks.ink, 1.75);
  pen.setLineDash([]);
  const entry = table[pair[0]]?.[pair[1]];
  if (!entry) return;
  const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2 - 14];
  write(brush, distance(entry), x, y, "center", inks.ink, entry.apart ? 700 : 400);
}

function names(brush: Brush): void {
  const { chosen, seen, space, inks, width } = brush;
  for (const i of chosen) {
    const [{ x, y }, point] = [seen[i] as Seen, space.points[i]];
    const beside = 1.35 * markSize(width) + 9;
    if (point) write(brush, pointName(space, point), x + beside, y, "left", inks.ink, 600);
  }
}
