// What stands around the cells: names of classes, facts of their rows, channel numbers, marks.

import { inks } from "../../lib/theme.ts";
import { shortened } from "../../lib/words.ts";
import type { Session } from "./session.ts";
import { type Extent, tickStep, type Window } from "./window.ts";
import { fitted } from "./words.ts";

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Where the cells are. */
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly bar: number;
}

const HEAD = 40;
const NARROW = 620;
const LINE = 13; // between two names
const TICK = 38;

export function frameOf(width: number, tall: number): Frame {
  const narrow = width < NARROW;
  const left = Math.round(narrow ? Math.min(110, width * 0.26) : Math.min(210, width * 0.18));
  const bar = narrow ? 0 : 60;
  const right = Math.max(left + 40, width - (narrow ? 76 : 168));
  return { width, height: HEAD + tall + 6, left, right, top: HEAD, bottom: HEAD + tall, bar };
}

interface Brush {
  readonly context: CanvasRenderingContext2D;
  readonly session: Session;
  readonly frame: Frame;
  readonly now: Window;
  readonly extent: Extent;
  readonly inks: Inks;
}

type Inks = ReturnType<typeof inksOf>;

export function drawFrame(
  canvas: HTMLCanvasElement,
  session: Session,
  frame: Frame,
  now: Window,
  extent: Extent,
  ratio: number,
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const brush = { context, session, frame, now, extent, inks: inksOf(canvas) };
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, frame.width, frame.height);
  context.textBaseline = "middle";
  drawHeads(brush);
  drawRows(brush);
  drawTicks(brush);
  drawMarks(brush);
}

function inksOf(element: Element) {
  const { fontFamily, fontSize } = getComputedStyle(element);
  return {
    ...inks(element, "ink", "soft", "well", "edge", "accent", "error"),
    font: fontFamily,
    size: Number.parseFloat(fontSize),
  };
}

function write(brush: Brush, words: string, x: number, y: number, look: Look = {}): void {
  const { context, inks } = brush;
  context.font = `${look.bold ? 650 : 400} ${look.size ?? inks.size}px ${inks.font}`;
  context.fillStyle = look.colour ?? inks.ink;
  context.textAlign = look.align ?? "left";
  context.fillText(words, x, y);
}

interface Look {
  bold?: boolean;
  size?: number;
  colour?: string;
  align?: CanvasTextAlign;
}

function drawHeads(brush: Brush): void {
  const { frame, inks, session } = brush;
  const look = { colour: inks.soft };
  write(brush, session.saved.columns === "class" ? "Class (sorts)" : "Class", frame.left - 10, 12, {
    ...look,
    align: "right",
  });
  write(brush, frame.bar ? "Non-zero" : "≠ 0", frame.right + 10, 12, look);
  write(brush, "R²", frame.width - 4, 12, { ...look, align: "right" });
}

/** The rows that are named: all that are seen, or as many as have room; the looked at ones always. */
function drawRows(brush: Brush): void {
  const { session, now, extent } = brush;
  const step = Math.max(1, Math.ceil(LINE / now.l));
  const first = Math.floor(now.y / step) * step;
  const always = [session.cursor?.row, session.row].filter((row) => row !== undefined);
  const special = always.map((row) => session.rows.indexOf(row));
  const last = Math.min(extent.rows, now.y + extent.height / now.l);
  for (let at = first; at < last; at += step) {
    const near = special.some((one) => one === at || Math.abs(one - at) * now.l < LINE);
    if (!near) drawRow(brush, at);
  }
  const [pointed, chosen] = special.length > 1 ? special : [undefined, special[0]];
  const apart = pointed === undefined || Math.abs(pointed - (chosen as number)) * now.l >= LINE;
  if (pointed !== undefined) drawRow(brush, pointed);
  if (apart) drawRow(brush, chosen as number);
}

function drawRow(brush: Brush, at: number): void {
  const { session, frame, now, inks } = brush;
  const y = frame.top + (at + 0.5 - now.y) * now.l;
  const row = session.rows[at];
  if (row === undefined || y < frame.top - 2 || y > frame.bottom + 2) return;
  const { payload } = session;
  const bold = row === session.row || row === session.cursor?.row;
  const flagged = Boolean(payload.flags[row]);
  const name = clipped(
    brush,
    payload.classes[row] as string,
    frame.left - (flagged ? 30 : 16),
    bold,
  );
  const right = frame.left - 10 - (flagged ? 14 : 0);
  write(brush, name, right, y, { bold, align: "right" });
  if (flagged) write(brush, "⚑", frame.left - 7, y, { colour: inks.error, align: "right" });
  drawFacts(brush, row, y, bold);
}

function drawFacts(brush: Brush, row: number, y: number, bold: boolean): void {
  const { session, frame, inks, context } = brush;
  const { payload } = session;
  const count = payload.nonzero[row] as number;
  const x = frame.right + 10;
  if (frame.bar) {
    context.fillStyle = inks.well;
    context.fillRect(x, y - 4, frame.bar, 8);
    context.fillStyle = inks.soft;
    const part = count / Math.max(1, payload.channels);
    context.fillRect(x, y - 4, count > 0 ? Math.max(1, frame.bar * part) : 0, 8);
  }
  write(brush, String(count), x + (frame.bar ? frame.bar + 8 : 0), y, { bold });
  write(brush, fitted(payload, row).replace("not known", "–"), frame.width - 4, y, {
    bold,
    align: "right",
  });
}

function clipped(brush: Brush, name: string, room: number, bold: boolean): string {
  const { context, inks } = brush;
  context.font = `${bold ? 650 : 400} ${inks.size}px ${inks.font}`;
  if (context.measureText(name).width <= room) return name;
  let length = Math.max(1, Math.floor((name.length * room) / context.measureText(name).width) - 1);
  while (length > 1 && context.measureText(shortened(name, length)).width > room) length--;
  return shortened(name, length);
}

function drawTicks(brush: Brush): void {
  const { session, frame, now, extent, inks, context } = brush;
  const numbered = (session.saved.columns ?? "number") === "number";
  const step = tickStep(now.k, TICK);
  // in another order only single columns have a number
  if (!numbered && now.k < 6) {
    caption(brush, ORDERS[session.saved.columns ?? "number"]);
    return;
  }
  const last = Math.min(extent.columns, now.x + extent.width / now.k);
  const chosen = session.channel === null ? -1 : session.columns.indexOf(session.channel);
  const flagged = chosen < 0 ? -Infinity : frame.left + (chosen + 0.5 - now.x) * now.k;
  for (let at = Math.ceil(now.x / step) * step; at < last; at += step) {
    const x = frame.left + (at + 0.5 - now.x) * now.k;
    if (x > frame.right) break;
    if (Math.abs(x - flagged) < TICK * 0.8) continue;
    context.fillStyle = inks.edge;
    context.fillRect(Math.round(x), frame.top - 5, 1, 4);
    write(brush, String(session.columns[at]), x, frame.top - 14, {
      colour: inks.soft,
      align: "center",
      size: inks.size * 0.92,
    });
  }
  caption(brush, "Channel");
}

// where it has room beside the other heads
function caption(brush: Brush, words: string): void {
  const { frame, inks, context } = brush;
  context.font = `${inks.size}px ${inks.font}`;
  if (context.measureText(words).width > frame.right - frame.left - 20) return;
  const middle = (frame.left + frame.right) / 2;
  write(brush, words, middle, 10, { colour: inks.soft, align: "center" });
}

const ORDERS = {
  number: "Channels by number",
  class: "Channels by importance for the chosen class",
  shared: "Channels by how many classes share them",
  blocks: "Channels by the class they matter most for",
};

function drawMarks(brush: Brush): void {
  const { session, frame, inks, context } = brush;
  context.strokeStyle = inks.edge;
  context.lineWidth = 1;
  const [wide, tall] = [frame.right - frame.left, frame.bottom - frame.top];
  context.strokeRect(frame.left - 0.5, frame.top - 0.5, wide + 1, tall + 1);
  if (session.channel !== null) markColumn(brush, session.channel);
  if (session.cursor) markCell(brush, session.cursor.row, session.cursor.channel, inks.ink);
}

function markColumn(brush: Brush, channel: number): void {
  const { session, frame, now, inks, context } = brush;
  const at = session.columns.indexOf(channel);
  const x = frame.left + (at - now.x) * now.k;
  if (at < 0 || x + now.k < frame.left || x > frame.right) return;
  context.strokeStyle = inks.accent;
  context.lineWidth = 2;
  const width = Math.max(4, now.k);
  context.strokeRect(x + now.k / 2 - width / 2, frame.top, width, frame.bottom - frame.top);
  flag(brush, x + now.k / 2, `#${channel}`);
  markCell(brush, session.row, channel, inks.accent);
}

function flag(brush: Brush, x: number, words: string): void {
  const { frame, inks, context } = brush;
  const half = (words.length * inks.size * 0.62) / 2 + 5;
  const middle = Math.min(frame.right - half, Math.max(frame.left + half, x));
  context.fillStyle = inks.accent;
  context.beginPath();
  context.roundRect(middle - half, frame.top - 24, 2 * half, 18, 4);
  context.fill();
  write(brush, words, middle, frame.top - 14.5, { bold: true, colour: "#fff", align: "center" });
}

function markCell(brush: Brush, row: number, channel: number, colour: string): void {
  const { session, frame, now, context } = brush;
  const [across, down] = [session.columns.indexOf(channel), session.rows.indexOf(row)];
  if (across < 0 || down < 0) return;
  const [wide, tall] = [Math.max(7, now.k), Math.max(7, now.l)];
  const x = frame.left + (across + 0.5 - now.x) * now.k - wide / 2;
  const y = frame.top + (down + 0.5 - now.y) * now.l - tall / 2;
  context.save();
  context.beginPath();
  context.rect(
    frame.left - 4,
    frame.top - 4,
    frame.right - frame.left + 8,
    frame.bottom - frame.top + 8,
  );
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(x, y, wide, tall);
  context.restore();
}
