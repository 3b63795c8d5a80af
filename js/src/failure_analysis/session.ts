// What is covered, with what, and what the network says to it, one question at a time.
import type { AnyModel } from "@anywidget/types";
import type { Prediction } from "../lib/evidence.ts";
import { type Buffer, bitmapOf, bytesOf } from "../lib/pixels.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import { type Cell, emptyMask, type Mask, sameMask, shareOf, stroked } from "./mask.ts";

/** One question at a time: while one is under way only the last of those that come is kept. */
export class Asker<T> {
  private next: { value: T } | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = false;

  /** `ask` never rejects; questions that come within `pause` milliseconds are one. */
  constructor(
    private readonly ask: (value: T) => Promise<unknown>,
    private readonly pause: number,
  ) {}

  /** Whether something is asked or is going to be. */
  get busy(): boolean {
    return this.asking || this.next !== null;
  }

  want(value: T): void {
    this.next = { value };
    if (!this.asking) this.later();
  }

  close(): void {
    clearTimeout(this.timer);
    this.next = null;
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.go(), this.pause);
  }

  private async go(): Promise<void> {
    const wanted = this.next;
    if (!wanted) return;
    this.next = null;
    this.asking = true;
    try {
      await this.ask(wanted.value);
    } finally {
      this.asking = false;
    }
    if (this.next) this.later();
  }
}

export interface Scores {
  named: Prediction;
  wrong: Prediction;
  right: Prediction;
}

export interface State extends ViewState {
  image: Buffer;
  fills: Record<string, Buffer>;
  grid: number;
  /**
   * `share` of the image was covered when the scores were as they are `now`. Of an image that was
   * named `rightly`, "right" is the runner-up.
   */
  scores: { start: Scores; now: Scores | null; share: number; rightly?: boolean };
  mask: Buffer;
  fill: string;
  view: { size?: number; uncovers?: boolean };
}

export type Change = "mask" | "scores" | "pixels" | "tools" | "busy";

const SAVED =
  "This view was opened from saved evidence; to cover a region takes the model; " +
  "run FailureAnalysis(model, image, true=...) in a notebook to have it live.";
const PAUSE = 80;
const DEPTH = 100;
export const SMALLEST = 1;
export const LARGEST = 28;

interface Drawn {
  readonly mask: Mask;
  readonly fill: string;
}

export class Session extends ViewSession<State, Change> {
  mask: Mask;
  image: ImageBitmap | null = null;
  readonly fills = new Map<string, ImageBitmap>();
  private chosen: string;
  private readonly past: Mask[] = [];
  private readonly asker = new Asker<Drawn>((drawn) => this.put(drawn), PAUSE);

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.mask = this.known();
    this.chosen = model.get("fill");
    this.follow("scores", () => this.tell("scores"));
    this.follow("mask", () => this.adopt());
    this.follow("fill", () => this.adopt());
    this.follow("view", () => this.tell("tools"));
  }

  get grid(): number {
    return this.model.get("grid");
  }

  get scores(): State["scores"] {
    return this.model.get("scores");
  }

  get fill(): string {
    return this.chosen;
  }

  /** The brush's side in cells. */
  get size(): number {
    const { size } = this.saved;
    return typeof size === "number" && size >= SMALLEST && size <= LARGEST ? Math.round(size) : 6;
  }

  get uncovers(): boolean {
    return this.saved.uncovers === true;
  }

  get share(): number {
    return shareOf(this.mask);
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  /** Whether the scores are still those of another mask. */
  get waits(): boolean {
    return this.asker.busy;
  }

  /** Keep what is there, so that `undo` comes back to it. */
  begin(): void {
    this.past.push(this.mask);
    if (this.past.length > DEPTH) this.past.shift();
  }

  stroke(from: Cell, to: Cell): void {
    this.change(stroked(this.mask, this.grid, from, to, this.size, !this.uncovers));
  }

  clear(): void {
    if (this.share === 0) return;
    this.begin();
    this.change(emptyMask(this.grid));
  }

  undo(): void {
    const last = this.past.pop();
    if (last) this.change(last);
    this.tell("tools");
  }

  fillWith(fill: string): void {
    if (fill === this.chosen) return;
    this.chosen = fill;
    this.tell("tools");
    this.tell("mask");
    if (this.share > 0) this.want();
  }

  resize(size: number): void {
    this.arrange({ size: Math.min(LARGEST, Math.max(SMALLEST, size)) });
  }

  load(): Promise<void> {
    return this.tellAfter(this.readPictures(), "pixels");
  }

  private async readPictures(): Promise<void> {
    this.image = await bitmapOf(this.model.get("image"));
    for (const [name, data] of Object.entries(this.model.get("fills")))
      this.fills.set(name, await bitmapOf(data));
  }

  override close(): void {
    this.asker.close();
    super.close();
  }

  private change(next: Mask): void {
    if (sameMask(next, this.mask)) return;
    this.mask = next;
    this.tell("mask");
    this.want();
  }

  private want(): void {
    this.asker.want({ mask: this.mask, fill: this.chosen });
    this.tell("busy");
  }

  private async put({ mask, fill }: Drawn): Promise<void> {
    await this.ask("occlude", { fill }, [mask.slice().buffer]);
    // told once the asker knows that it is done
    setTimeout(() => this.tell("busy"), 0);
  }

  private known(): Mask {
    const bytes = bytesOf(this.model.get("mask"));
    const whole = bytes.length === this.grid ** 2;
    return whole ? Uint8Array.from(bytes, (value) => (value ? 1 : 0)) : emptyMask(this.grid);
  }

  /** Take what the kernel has, unless the person has drawn on since. */
  private adopt(): void {
    if (this.asker.busy) return;
    this.mask = this.known();
    this.chosen = this.model.get("fill");
    this.tell("mask");
    this.tell("tools");
  }
}
