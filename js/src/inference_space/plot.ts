// The plot: drawn on a canvas, turned by hand and keys, its points under the pointer told beside them.

import { fill, h, listen, reducedMotion } from "../lib/dom.ts";
import { listenToGestures, type Transform } from "../lib/plane.ts";
import { followTheme } from "../lib/theme.ts";
import type { Check } from "../lib/trust.ts";
import { counted } from "../lib/words.ts";
import { draw, markSize } from "./draw.ts";
import { FIRST, hit, type Seen, Sight, type Turn, turned, zoomed } from "./projection.ts";
import type { Session } from "./session.ts";
import { agreement, pointName, told } from "./words.ts";

const PICTURE = 132; // pixels wide, drawn twice as fine
const BESIDE = 16;

/** What a point is, beside it: its image, its name, and what was inferred in it. */
class Tip {
  readonly element = h("div", { class: "hx-tip", "aria-hidden": "true", hidden: true });
  private shown: number | null = null;
  private pictured = false;
  private faith: Check | null = null;

  constructor(private readonly session: Session) {}

  show(point: number | null, at: Seen | null, width: number, height: number): void {
    this.element.hidden = point === null || at === null;
    if (point === null || at === null) return;
    const faith = this.session.check(String(point));
    if (point !== this.shown || !this.pictured || faith !== this.faith) this.write(point);
    const [wide, tall] = [this.element.offsetWidth, this.element.offsetHeight];
    const right = at.x + BESIDE + wide <= width;
    const x = right ? at.x + BESIDE : at.x - BESIDE - wide;
    const y = Math.max(4, Math.min(height - tall - 4, at.y - tall / 2));
    this.element.style.transform = `translate(${Math.max(4, x)}px, ${y}px)`;
  }

  private write(point: number): void {
    const { space, thumbnails, words } = this.session;
    const one = this.session.point(point);
    const canvas = h("canvas", {});
    this.shown = point;
    this.faith = this.session.check(String(point));
    this.pictured = thumbnails.paint(canvas, point, 2 * PICTURE);
    fill(
      this.element,
      this.pictured && canvas,
      h("b", {}, pointName(space, one)),
      h("span", {}, space.payload.groups[one.set]?.concept ?? ""),
      h("span", {}, agreement(words, this.faith)),
    );
  }
}

const TALL = { part: 0.5, least: 280, most: 640 }; // of the width; in pixels
const DEGREES = 0.45; // per pixel of a drag
const OPENING = { from: -34, time: 2600 };

export class Plot {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly tip: Tip;
  private readonly news = h("p", { class: "hx-unseen", role: "status" });
  private readonly watch: ResizeObserver;
  private readonly leave: (() => void)[];
  private width = 0;
  private height = 0;
  private seen: readonly Seen[] = [];
  private drawing = 0;
  private opening = 0;
  private opened = false;

  constructor(private readonly session: Session) {
    const { points, payload } = session.space;
    const sets = payload.groups.map((one) => one.name).join(", ");
    const label = `${counted(points.length, "image")} of ${sets} in space; n and p go through them`;
    this.tip = new Tip(session);
    this.element = h(
      "div",
      { class: "hx-plot", tabindex: 0, role: "application", "aria-label": label },
      this.canvas,
      this.tip.element,
      this.news,
    );
    this.watch = new ResizeObserver(() => session.guard(() => this.resize()));
    this.watch.observe(this.element);
    this.leave = [this.listen(), this.gestures(), followTheme(this.element, () => this.drawSoon())];
    session.on((change) => {
      if (change === "charts" || change === "busy") return;
      if (change === "pixels") this.place();
      else this.drawSoon();
    });
  }

  close(): void {
    this.watch.disconnect();
    cancelAnimationFrame(this.drawing);
    cancelAnimationFrame(this.opening);
    for (const act of this.leave) act();
  }

  /** Go to the next point or the one before, and tell which it is. */
  step(by: number): void {
    const { session } = this;
    const count = session.space.points.length;
    const from = session.looked ?? session.points.at(-1) ?? (by > 0 ? -1 : 0);
    this.tell((from + by + count) % count);
  }

  tell(point: number): void {
    const { session } = this;
    session.look(point);
    const chosen = session.points.includes(point);
    this.news.textContent = told(
      session.space,
      session.point(point),
      chosen,
      agreement(session.words, session.check(String(point))),
    );
  }

  turn(next: Turn): void {
    this.stopOpening();
    this.session.turnTo(next);
    this.session.keepTurn();
  }

  stopOpening(): void {
    cancelAnimationFrame(this.opening);
    if (this.opening) this.session.keepTurn();
    this.opening = 0;
  }

  private resize(): void {
    const width = this.element.clientWidth;
    if (width < 40 || width === this.width) return;
    this.width = width;
    this.height = Math.min(TALL.most, Math.max(TALL.least, Math.round(TALL.part * width)));
    const ratio = this.ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.draw();
    this.open();
  }

  private get ratio(): number {
    return Math.min(2, window.devicePixelRatio || 1);
  }

  /** A slow turn at first, so that it is seen to be space; not where motion is not wanted. */
  private open(): void {
    if (this.opened) return;
    this.opened = true;
    if (this.session.saved.turn || reducedMotion()) return;
    const start = performance.now();
    const step = (now: number) => {
      const part = Math.min(1, Math.max(0, (now - start) / OPENING.time));
      const left = (1 - part) ** 3;
      const yaw = FIRST.yaw + OPENING.from * left;
      this.session.turnTo(part < 1 ? { ...FIRST, yaw } : null);
      this.opening = part < 1 ? requestAnimationFrame(step) : 0;
    };
    this.opening = requestAnimationFrame(step);
  }

  private drawSoon(): void {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.session.guard(() => this.draw()));
  }

  private draw(): void {
    if (this.width === 0) return;
    const { session, width, height } = this;
    const { space, turn, spread, pair, points, looked } = session;
    const aside = Math.min(84, width * 0.1);
    const sight = new Sight(space.box, turn, { width, height, aside, above: 44 });
    this.seen = space.points.map((point) => sight.see(point.at));
    const chosen = points;
    const scene = { space, sight, seen: this.seen, width, height, spread, pair, chosen, looked };
    draw(this.canvas, scene, this.ratio);
    this.place();
  }

  private place(): void {
    const { looked } = this.session;
    const at = looked === null ? null : (this.seen[looked] ?? null);
    this.tip.show(looked, at, this.width, this.height);
  }

  private listen(): () => void {
    const { element, session } = this;
    const stop = new AbortController();
    const options = { signal: stop.signal };
    const [away, still] = [() => session.look(null), () => this.stopOpening()];
    const acts = {
      pointermove: (event: PointerEvent) => session.look(this.pointAt(event)),
      pointerleave: away,
      blur: away,
      pointerdown: still,
      click: (event: MouseEvent) => this.press(event),
    };
    listen(element, acts, options);
    listen(element, { wheel: still }, { ...options, passive: true });
    return () => stop.abort();
  }

  private press(event: MouseEvent): void {
    const point = this.pointAt(event);
    if (point !== null) this.session.choose(point, event.shiftKey);
  }

  private pointAt(event: MouseEvent): number | null {
    const box = this.canvas.getBoundingClientRect();
    const reach = 1.6 * markSize(this.width) + 3;
    return hit(this.seen, event.clientX - box.left, event.clientY - box.top, reach);
  }

  /** Drags turn, pinches and Ctrl + wheel zoom. */
  private gestures(): () => void {
    const { session } = this;
    let last: Transform = { x: 0, y: 0, k: 1 };
    return listenToGestures(this.element, {
      get: () => last,
      set: (next) => {
        const [dx, dy] = [next.x - last.x, next.y - last.y];
        const zooming = next.k !== last.k;
        const { turn } = session;
        session.turnTo(
          zooming ? zoomed(turn, next.k / last.k) : turned(turn, dx * DEGREES, dy * DEGREES),
        );
        // begun anew each time, so that its own limits are never met
        last = { x: 0, y: 0, k: 1 };
      },
      start: () => this.element.classList.add("hx-turning"),
      end: () => {
        this.element.classList.remove("hx-turning");
        session.keepTurn();
      },
    });
  }
}
