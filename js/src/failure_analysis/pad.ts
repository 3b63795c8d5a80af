// The image to draw on: with a mouse, a pen, a finger or the keyboard.

import { take } from "../lib/controls.ts";
import { h } from "../lib/dom.ts";
import { brushAt, type Cell, cellAt, movedBy, outline } from "./mask.ts";
import type { Session } from "./session.ts";
import { KEYS, where } from "./words.ts";

const SIDE = 720; // pixels of the canvas's longer side

export class Pad {
  readonly element: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly said = h("p", { class: "hx-brush-where", role: "status" });
  private cell: Cell;
  private last: Cell | null = null; // where a stroke has come to
  private shown = false; // the brush itself

  constructor(private readonly session: Session) {
    const { live } = session;
    this.canvas = h("canvas", {
      class: "hx-brush-canvas",
      role: live ? "application" : "img",
      tabindex: live ? 0 : null,
      "aria-label": live ? `The image, to draw on. ${KEYS}` : "The image, with what was covered",
    });
    this.cell = { row: session.grid >> 1, column: session.grid >> 1 };
    this.element = h("div", { class: "hx-brush-pad" }, this.canvas, this.said);
    this.element.classList.toggle("hx-live", live);
    if (live) this.listen();
    for (const change of ["mask", "pixels", "tools"]) {
      session.on((told) => told === change && this.draw());
    }
  }

  draw(): void {
    const { session, canvas } = this;
    const { image } = session;
    const pen = canvas.getContext("2d");
    if (!image || !pen) return;
    const scale = SIDE / Math.max(image.width, image.height);
    const [width, height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
    }
    pen.imageSmoothingEnabled = scale < 8;
    pen.drawImage(image, 0, 0, width, height);
    this.drawCovered(pen, width, height);
    if (this.shown) this.drawBrush(pen, width, height);
  }

  private drawCovered(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const { mask, grid, fills, fill } = this.session;
    const [cw, ch] = [width / grid, height / grid];
    const cover = fills.get(fill);
    pen.save();
    pen.beginPath();
    for (let i = 0; i < mask.length; i++) {
      if (mask[i]) pen.rect((i % grid) * cw, Math.floor(i / grid) * ch, cw + 0.5, ch + 0.5);
    }
    pen.clip();
    if (cover) pen.drawImage(cover, 0, 0, width, height);
    pen.restore();
    pen.beginPath();
    for (const [x0, y0, x1, y1] of outline(mask, grid)) {
      pen.moveTo(x0 * cw, y0 * ch);
      pen.lineTo(x1 * cw, y1 * ch);
    }
    this.stroke(pen);
  }

  private drawBrush(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const { grid, size } = this.session;
    const { row, column, rows, columns } = brushAt(this.cell, size, grid);
    const [cw, ch] = [width / grid, height / grid];
    pen.beginPath();
    pen.rect(column * cw, row * ch, columns * cw, rows * ch);
    pen.setLineDash(this.session.uncovers ? [10, 8] : []);
    this.stroke(pen);
    pen.setLineDash([]);
  }

  // white on black, to be seen on any picture
  private stroke(pen: CanvasRenderingContext2D): void {
    for (const [colour, wide] of [["rgb(0 0 0 / 75%)", 6] as const, ["#fff", 2.5] as const]) {
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.stroke();
    }
  }

  private listen(): void {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(end, () => this.lift());
    }
    canvas.addEventListener("pointerleave", () => this.show(canvas.matches(":focus-visible")));
    canvas.addEventListener("focus", () => this.show(canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => this.show(false));
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  private at(event: PointerEvent): Cell {
    const box = this.canvas.getBoundingClientRect();
    return cellAt(event.clientX - box.left, event.clientY - box.top, box, this.session.grid);
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.cell = this.last = this.at(event);
    this.session.begin();
    this.session.stroke(this.cell, this.cell);
  }

  private move(event: PointerEvent): void {
    this.cell = this.at(event);
    if (this.last) {
      this.session.stroke(this.last, this.cell);
      this.last = this.cell;
    }
    this.show(true);
  }

  private lift(): void {
    this.last = null;
    this.session.tell("tools");
  }

  private press(event: KeyboardEvent): void {
    const { session } = this;
    const step = event.shiftKey ? Math.max(2, session.size) : 1;
    const next = movedBy(event.key, this.cell, step, session.grid);
    if (next) this.cell = next;
    else if (!this.act(event)) return;
    take(event);
    this.show(true);
    const covered = session.mask[this.cell.row * session.grid + this.cell.column] === 1;
    this.said.textContent = where(this.cell, covered);
  }

  private act(event: KeyboardEvent): boolean {
    const { session } = this;
    if (event.key === " " || event.key === "Enter") {
      session.begin();
      session.stroke(this.cell, this.cell);
      session.tell("tools");
    } else if (event.key === "Delete" || event.key === "Backspace") session.clear();
    else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) session.undo();
    else if (event.key === "+" || event.key === "=") session.resize(session.size + 1);
    else if (event.key === "-") session.resize(session.size - 1);
    else return false;
    return true;
  }

  private show(brush: boolean): void {
    this.shown = brush;
    this.draw();
  }
}
