// The chosen cell, large, with its scale and its facts in words.
import { ramp } from "../lib/colours.ts";
import { fill, h } from "../lib/dom.ts";
import { number } from "../lib/words.ts";
import { paintCell } from "./painter.ts";
import type { Session } from "./session.ts";
import { columnWords, facts, mapAt, pictured, rowWords, strongest } from "./sheet.ts";

export class ChosenMap {
  readonly element = h("section", {
    class: "hx-chosen",
    "aria-label": "The chosen map",
    tabindex: 0,
  });
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly frame = h("div", { class: "hx-large" }, this.canvas);
  private readonly legend = h("div", { class: "hx-legend" });
  private readonly words = h("div", { class: "hx-facts", role: "status" });
  private painting = 0;
  private readonly resized = new ResizeObserver(() => this.paintSoon());

  constructor(private readonly session: Session) {
    this.element.append(this.frame, this.legend, this.words);
    session.on(() => this.draw());
    this.resized.observe(this.element);
    this.draw();
  }

  close(): void {
    this.resized.disconnect();
    cancelAnimationFrame(this.painting);
  }

  private draw(): void {
    const { session } = this;
    const { sheet, at } = session;
    const map = mapAt(sheet, at);
    const [height, width] = sheet.sizes[at.row] as [number, number];
    this.frame.hidden = map < 0;
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    this.canvas.style.width = `${Math.round(100 * Math.min(1, width / height))}%`;
    fill(
      this.words,
      h("h3", {}, columnWords(sheet, at.column)),
      h("p", {}, rowWords(sheet, at.row)),
      ...facts(sheet, at, session.weak(at)).map((words) => h("p", {}, words)),
    );
    fill(this.legend, ...this.scale(map));
    this.paintSoon();
  }

  private scale(map: number): readonly HTMLElement[] {
    const { sheet, scale, signed } = this.session;
    if (map < 0) return [];
    if (pictured(sheet, map)) return [h("p", {}, "Grey where the gradient is 0.")];
    const most = strongest(sheet, map, scale, signed);
    return ramp(signed ? -1 : 0, 1, [
      [0, signed ? number(-most) : "0"],
      [100, number(most)],
    ]);
  }

  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() =>
      this.session.guard(() => paintCell(this.session, this.canvas, this.session.at)),
    );
  }
}
