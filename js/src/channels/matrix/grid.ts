// The matrix on the screen: cells, names, facts of the rows, marks; pan, zoom and the keyboard.

import { modified, press } from "../../lib/controls.ts";
import { h } from "../../lib/dom.ts";
import { listenToGestures } from "../../lib/plane.ts";
import { followTheme, onDark } from "../../lib/theme.ts";
import { signedColours } from "../signed.ts";
import { drawFrame, type Frame, frameOf } from "./frame.ts";
import { paint } from "./painter.ts";
import type { Cell, Change, Session } from "./session.ts";
import {
  cellAt,
  clamped,
  type Extent,
  panned,
  revealing,
  type Window,
  whole,
  zoomed,
} from "./window.ts";

const ROW = 24;
const TALL = { least: 120, most: 480, around: 330 };

export class Grid {
  readonly element: HTMLElement;
  private readonly cells = h("canvas", { class: "hx-cells", "aria-hidden": "true" });
  private readonly over = h("canvas", { class: "hx-over", "aria-hidden": "true" });
  private readonly field = h("div", { class: "hx-field" });
  private colours = signedColours(false);
  private now: Window | null = null;
  private frame: Frame = frameOf(0, 0);
  private extent: Extent = { columns: 0, rows: 0, width: 1, height: 1 };
  private painting = 0;
  private stale = false;
  private readonly stops: (() => void)[] = [];

  constructor(private readonly session: Session) {
    this.element = h(
      "div",
      {
        class: "hx-grid",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "matrix",
        "aria-label":
          "Channel importance, classes by channels. Arrow keys move, Enter chooses, plus and minus zoom.",
      },
      this.cells,
      this.over,
      this.field,
    );
    const watch = new ResizeObserver(() => session.guard(() => this.measure()));
    watch.observe(this.element);
    this.stops.push(
      () => watch.disconnect(),
      followTheme(this.element, () => this.repaint()),
      this.gestures(),
    );
    this.listen();
    session.on((change) => this.follow(change));
  }

  close(): void {
    for (const stop of this.stops) stop();
    cancelAnimationFrame(this.painting);
  }

  get window(): Window {
    return this.now ?? whole(this.extent);
  }

  zoom(factor: number): void {
    const { width, height } = this.extent;
    this.move(zoomed(this.window, width / 2, height / 2, factor, this.extent));
    this.keep();
  }

  fit(): void {
    this.move(whole(this.extent));
    this.keep();
  }

  /** Bring a cell into the window. */
  reveal(cell: Cell): void {
    const column = this.session.columns.indexOf(cell.channel);
    const row = this.session.rows.indexOf(cell.row);
    if (column < 0 || row < 0) return;
    this.move(revealing(this.window, column, row, this.extent));
    this.keep();
  }

  private follow(change: Change): void {
    if (change === "busy" || change === "checks") return;
    if (change === "matrix") this.measure();
    if (change === "window") this.now = this.session.saved.window ?? this.now;
    if (change === "mark") this.showChosen();
    this.repaint(change !== "mark");
  }

  // a channel chosen in another view is brought into sight
  private showChosen(): void {
    const { channel, columns, cursor } = this.session;
    if (channel === null || cursor || !this.now) return;
    const at = columns.indexOf(channel);
    const { x, y, k, l } = this.now;
    if (at >= 0 && (at < x || at + 1 > x + this.extent.width / k))
      this.now = revealing(this.now, at, Math.ceil(y + this.extent.height / l / 2), this.extent);
    this.stale = true;
  }

  private measure(): void {
    const { weights } = this.session;
    const width = this.element.clientWidth;
    if (!weights || width === 0) return;
    // a laptop's window has to hold it with what stands around it
    const most = Math.min(TALL.most, Math.max(260, innerHeight - TALL.around));
    const tall = Math.min(most, Math.max(TALL.least, weights.rows * ROW));
    this.frame = frameOf(width, tall);
    const { left, right, top, bottom } = this.frame;
    this.extent = {
      columns: weights.columns,
      rows: weights.rows,
      width: right - left,
      height: bottom - top,
    };
    this.element.style.height = `${this.frame.height}px`;
    const style = { left, top, width: right - left, height: bottom - top };
    for (const part of [this.cells, this.field])
      for (const [name, value] of Object.entries(style)) part.style[name as "left"] = `${value}px`;
    this.now = clamped(this.session.saved.window ?? whole(this.extent), this.extent);
    this.resize(this.cells, style.width, style.height);
    this.resize(this.over, width, this.frame.height);
    this.repaint();
  }

  private resize(canvas: HTMLCanvasElement, width: number, height: number): void {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }

  private move(next: Window): void {
    const { x, y, k, l } = this.window;
    const still = x === next.x && y === next.y && k === next.k && l === next.l;
    this.now = next;
    this.repaint(!still);
  }

  private keep(): void {
    const { x, y, k, l } = this.window;
    const short = (value: number) => Math.round(value * 1000) / 1000;
    this.session.arrange({ window: { x: short(x), y: short(y), k: short(k), l: short(l) } });
  }

  private repaint(cells = true): void {
    this.stale ||= cells;
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private paint(): void {
    const { weights, shades, rows, columns } = this.session;
    if (!weights || !shades || this.extent.width <= 1) return;
    const ratio = devicePixelRatio || 1;
    if (this.stale) {
      this.colours = signedColours(onDark(this.element.closest(".hx-view") ?? this.element));
      const picture = { weights, shades, rows, columns, colours: this.colours };
      paint(this.cells, picture, this.window, this.extent, ratio);
    }
    this.stale = false;
    drawFrame(this.over, this.session, this.frame, this.window, this.extent, ratio);
  }

  private gestures(): () => void {
    return listenToGestures(this.element, {
      get: () => ({ x: 0, y: 0, k: 1 }),
      set: ({ x, y, k }) => {
        const { left, top } = this.frame;
        // the point that stays is where the change of place and of size meet
        const [px, py] = [x / (1 - k) - left, y / (1 - k) - top];
        this.move(
          k === 1
            ? panned(this.window, x, y, this.extent)
            : zoomed(this.window, px, py, k, this.extent),
        );
      },
      start: () => this.element.classList.add("hx-moving"),
      end: () => {
        this.element.classList.remove("hx-moving");
        this.keep();
      },
    });
  }

  private listen(): void {
    const { element, session } = this;
    element.addEventListener("pointermove", (event) => session.point(this.under(event)));
    element.addEventListener("pointerleave", () => session.point(null));
    element.addEventListener("click", (event) => this.click(event));
    element.addEventListener("keydown", (event) => this.press(event));
  }

  private click(event: MouseEvent): void {
    const cell = this.under(event);
    const row = this.rowUnder(event);
    if (cell) this.session.pick(cell);
    else if (row !== null) this.session.arrange({ row, columns: "class" });
  }

  private at(event: MouseEvent): [number, number] {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left - this.frame.left, event.clientY - box.top - this.frame.top];
  }

  private under(event: MouseEvent): Cell | null {
    const [x, y] = this.at(event);
    const { width, height } = this.extent;
    const found = x < width && y < height ? cellAt(this.window, x, y, this.extent) : null;
    return found && this.cell(found.column, found.row);
  }

  private rowUnder(event: MouseEvent): number | null {
    const [x, y] = this.at(event);
    const found = x < 0 && y < this.extent.height ? cellAt(this.window, 0, y, this.extent) : null;
    return found ? (this.session.rows[found.row] as number) : null;
  }

  private cell(column: number, row: number): Cell {
    const { rows, columns } = this.session;
    return { row: rows[row] as number, channel: columns[column] as number };
  }

  private press(event: KeyboardEvent): void {
    if (modified(event) || event.target !== this.element) return;
    press(event, {
      ArrowRight: () => this.step(event.shiftKey ? 10 : 1, 0),
      ArrowLeft: () => this.step(event.shiftKey ? -10 : -1, 0),
      ArrowDown: () => this.step(0, event.shiftKey ? 10 : 1),
      ArrowUp: () => this.step(0, event.shiftKey ? -10 : -1),
      Home: () => this.step(-Infinity, 0),
      End: () => this.step(Infinity, 0),
      PageDown: () => this.step(0, Math.floor(this.extent.height / this.window.l)),
      PageUp: () => this.step(0, -Math.floor(this.extent.height / this.window.l)),
      "+": () => this.zoom(1.5),
      "=": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
      "0": () => this.fit(),
      Enter: () => this.session.pick(this.here()),
      " ": () => this.session.pick(this.here()),
      Escape: () => this.session.choose(null),
    });
  }

  private here(): Cell {
    const { cursor, row, channel, columns } = this.session;
    return cursor ?? { row, channel: channel ?? (columns[Math.floor(this.window.x)] as number) };
  }

  private step(across: number, down: number): void {
    const { rows, columns } = this.session;
    const { row, channel } = this.here();
    const hold = (at: number, length: number) => Math.max(0, Math.min(length - 1, at));
    const next = this.cell(
      hold(columns.indexOf(channel) + across, columns.length),
      hold(rows.indexOf(row) + down, rows.length),
    );
    this.session.point(next);
    this.move(
      revealing(this.window, columns.indexOf(next.channel), rows.indexOf(next.row), this.extent),
    );
  }
}
