// The grid: images at the left, methods above, a map in each cell; one of them has the focus.
import { moved, type Place } from "../lib/cells.ts";
import { fill, h, setAttribute, short } from "../lib/dom.ts";
import { number, percent } from "../lib/words.ts";
import { paintCell, paintImage } from "./painter.ts";
import type { Session } from "./session.ts";
import { columnWords, mapAt, namedSo, rowWords, spoken } from "./sheet.ts";

const WRAPPED = 28; // letters up to which the name of a method breaks into lines

interface Cell {
  readonly place: Place;
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly weak: HTMLElement;
}

export class MapTable {
  readonly element = h("div", { class: "hx-window" });
  private cells: Cell[] = [];
  private heads: HTMLCanvasElement[] = [];
  private painting = 0;
  private drawn = "";
  private readonly resized = new ResizeObserver(() => this.paintSoon());

  constructor(private readonly session: Session) {
    session.on((change) => {
      if (change === "sheet") this.build();
      this.draw(change === "pictures");
    });
    this.resized.observe(this.element);
    this.build();
    this.draw(true);
  }

  close(): void {
    this.resized.disconnect();
    cancelAnimationFrame(this.painting);
  }

  focus(): void {
    this.cell(this.session.at)?.element.focus();
  }

  /** Go where a key leads; whether the key meant that. */
  move(key: string): boolean {
    const to = moved(this.session.at, key, this.session.shape);
    if (!to) return false;
    this.session.look(to);
    this.focus();
    return true;
  }

  private cell({ row, column }: Place): Cell | undefined {
    return this.cells[row * this.session.shape.columns + column];
  }

  private build(): void {
    const { sheet, shape } = this.session;
    this.cells = [];
    this.heads = [];
    this.drawn = "";
    const heads = sheet.methods.map((method, column) =>
      h(
        "th",
        { scope: "col", title: columnWords(sheet, column) },
        method.length > WRAPPED ? short(method) : method,
        h("div", { class: "hx-layer" }, short(sheet.layers[column] || "at the pixels")),
      ),
    );
    const rows = sheet.targets.map((_, row) =>
      h("tr", {}, this.head(row), ...sheet.methods.map((_, column) => this.made({ row, column }))),
    );
    fill(
      this.element,
      h(
        "table",
        {
          role: "grid",
          "aria-label": "Maps, images by methods",
          "aria-rowcount": shape.rows + 1,
          "aria-colcount": shape.columns + 1,
        },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Image"), ...heads)),
        h("tbody", {}, ...rows),
      ),
    );
  }

  private head(row: number): HTMLElement {
    const { sheet } = this.session;
    const canvas = this.canvas(row);
    this.heads.push(canvas);
    const named = sheet.named[row];
    return h(
      "th",
      { scope: "row", title: rowWords(sheet, row) },
      h("div", { class: "hx-tile" }, canvas),
      h("div", { class: "hx-target" }, short(sheet.targets[row] as string)),
      h("div", { class: "hx-likely" }, percent(sheet.likely[row] as number)),
      !namedSo(sheet, row) && h("div", { class: "hx-likely" }, short(`named ${named?.name}`)),
    );
  }

  private canvas(row: number): HTMLCanvasElement {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const [height, width] = this.session.sheet.sizes[row] as [number, number];
    canvas.style.aspectRatio = `${width} / ${height}`;
    if (height > width) Object.assign(canvas.style, { width: "auto", height: "100%" });
    return canvas;
  }

  private made(place: Place): HTMLElement {
    const { sheet } = this.session;
    const map = mapAt(sheet, place);
    const [canvas, weak] = [this.canvas(place.row), h("div", { class: "hx-weak" })];
    const element = h(
      "td",
      { role: "gridcell" },
      h("div", { class: "hx-tile" }, map < 0 ? h("span", {}, "no map") : canvas),
      map >= 0 && h("div", { class: "hx-largest" }, `up to ${number(sheet.high[map] as number)}`),
      weak,
    );
    element.classList.toggle("hx-gap", map < 0);
    element.addEventListener("focus", () => this.session.look(place));
    element.addEventListener("click", () => element.focus());
    this.cells.push({ place, element, canvas, weak });
    return element;
  }

  private draw(pictures: boolean): void {
    const { session } = this;
    const { scale, signed, opacity, size, at } = session;
    this.element.style.setProperty("--hx-side", `${size}px`);
    for (const { place, element, weak } of this.cells) {
      const chosen = place.row === at.row && place.column === at.column;
      const faint = session.weak(place);
      const words = spoken(session.sheet, place, faint);
      setAttribute(element, "aria-label", words);
      setAttribute(element, "title", words);
      setAttribute(element, "aria-selected", String(chosen));
      element.tabIndex = chosen ? 0 : -1;
      if (weak.textContent !== faint) weak.textContent = faint;
    }
    const look = JSON.stringify([scale, signed, opacity, size]);
    if (look === this.drawn && !pictures) return;
    this.drawn = look;
    this.paintSoon();
  }

  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private paint(): void {
    for (const [row, canvas] of this.heads.entries()) paintImage(this.session, canvas, row);
    for (const { place, canvas } of this.cells) paintCell(this.session, canvas, place);
  }
}
