// What the parts of the view share: the comparison, its pictures, how it is turned, what is chosen,
// the kernel, and which points are checked against ablation: those chosen, then all, while quick.

import type { AnyModel } from "@anywidget/types";
import { Checks } from "../lib/checks.ts";
import { bitmapsOf, type Files } from "../lib/pixels.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import {
  type ChartsPayload,
  known,
  type Point,
  readSpace,
  type Space,
  type SpacePayload,
} from "./payload.ts";
import { FIRST, type Turn } from "./projection.ts";

/** A small picture of each point, from one buffer. */
class Thumbnails {
  private pictures: ImageBitmap[] = [];

  async load(files: Files): Promise<void> {
    this.pictures = await bitmapsOf(files);
  }

  has(point: number): boolean {
    return this.pictures[point] !== undefined;
  }

  /** Paint a point's picture as large as the canvas is wide; false where there is none. */
  paint(canvas: HTMLCanvasElement, point: number, width: number): boolean {
    const picture = this.pictures[point];
    if (!picture) return false;
    canvas.width = width;
    canvas.height = Math.round((width * picture.height) / picture.width);
    const context = canvas.getContext("2d");
    if (!context) return false;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return true;
  }
}

export type Spread = "ellipsoids" | "spokes" | "none";
export type Pair = readonly [number, number];

export interface Saved {
  turn?: Turn;
  spread?: Spread;
  cell?: string;
  points?: number[];
  selected?: string;
  zoom?: string;
}

export interface State extends ViewState {
  space: SpacePayload;
  thumbnails: Files;
  charts: ChartsPayload;
  view: Saved;
}

export type Change = "turn" | "arrangement" | "look" | "charts" | "pixels" | "checks" | "busy";
export const MOST_CHARTS = 6;

export class Session extends ViewSession<State, Change> {
  readonly space: Space;
  readonly thumbnails = new Thumbnails();
  /** The point under the pointer or the keyboard. */
  looked: number | null = null;
  private turning: Turn | null = null;
  private over: Pair | null = null;

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, "", "busy");
    this.space = readSpace(model.get("space"));
    this.follow("view", () => this.tell("arrangement"));
    this.follow("checks", () => this.tell("checks"));
    this.follow("charts", () => this.tell("charts"));
  }

  get turn(): Turn {
    return this.turning ?? this.saved.turn ?? FIRST;
  }

  /** Turn without saving: a hand is at it, or the opening; null is back to what was saved. */
  turnTo(turn: Turn | null): void {
    this.turning = turn;
    this.tell("turn");
  }

  /** Save how it is turned now. */
  keepTurn(): void {
    const turn = this.turning;
    this.turning = null;
    if (turn) this.arrange({ turn });
  }

  get spread(): Spread {
    return this.saved.spread ?? "ellipsoids";
  }

  get points(): number[] {
    return (this.saved.points ?? []).filter((i) => this.space.points[i]);
  }

  point(i: number): Point {
    return this.space.points[i] as Point;
  }

  get cell(): Pair | null {
    const [s, t] = (this.saved.cell || "x").split(".").map(Number);
    const { groups } = this.space.payload;
    return groups[s as number] && groups[t as number] ? [s as number, t as number] : null;
  }

  /** The two sets that are brought out: of the cell under the pointer, else of the chosen one. */
  get pair(): Pair | null {
    return this.over ?? this.cell;
  }

  chooseCell(s: number, t: number): void {
    const [a, b] = [Math.min(s, t), Math.max(s, t)];
    this.arrange({ cell: this.saved.cell === `${a}.${b}` ? "" : `${a}.${b}` });
  }

  hoverCell(pair: Pair | null): void {
    if (String(pair) === String(this.over)) return;
    this.over = pair;
    this.tell("look");
  }

  look(point: number | null): void {
    if (point === this.looked) return;
    this.looked = point;
    this.tell("look");
  }

  /** Choose a point alone, or with those that are; chosen again, it is so no longer. */
  choose(point: number, more: boolean): void {
    const now = this.points;
    const rest = more ? now.filter((one) => one !== point) : [];
    const again = now.includes(point) && (more || now.length === 1);
    const points = again ? rest : [...rest, point].slice(-MOST_CHARTS);
    this.arrange({ points, selected: "", zoom: "" });
    if (!again) void this.infer();
  }

  clear(): void {
    if (this.kernel.busy.length > 0) this.kernel.stop();
    else if (this.points.length > 0) this.arrange({ points: [] });
    else if (this.cell) this.arrange({ cell: "" });
  }

  get charts(): ChartsPayload {
    return this.model.get("charts");
  }

  /** Chosen points whose concepts were not inferred yet. */
  get missing(): number[] {
    const have = known(this.charts, this.points);
    return this.points.filter((point) => !have.includes(point));
  }

  /** Ask for the inferences of all chosen points; what is being worked on is given up. */
  async infer(): Promise<void> {
    if (!this.live || this.missing.length === 0) return;
    this.kernel.cancel();
    await this.ask("infer", { points: this.points });
  }

  async load(): Promise<void> {
    await this.tellAfter(this.thumbnails.load(this.model.get("thumbnails")), "pixels");
  }
}

/** The checks of points: those chosen, then all, as long as it is quick. */
export function pointChecks(session: Session): Checks<number> {
  return new Checks(session, {
    spot: (point) => ({ key: String(point), fields: { point } }),
    wanted: () => [...session.points, ...session.space.points.keys()],
  });
}
