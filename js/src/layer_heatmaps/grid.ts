// The maps: a row per class, a column per layer; or one map per class, side by side.
import { button, fill, h, setAttribute, short, svg } from "../lib/dom.ts";
import { number, percent } from "../lib/words.ts";
import { moved, type Place } from "./heat_grid.ts";
import type { Change, Selected, Session } from "./session.ts";
import type { HeatCell, Key } from "./sheet.ts";
import { layerTitle, spoken } from "./words.ts";

interface Tile {
  readonly place: Selected;
  readonly at: Place;
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly marks: SVGSVGElement;
  readonly caption: HTMLElement;
}

export class HeatGrid {
  readonly element = h("div", { class: "hx-heats", role: "grid", "aria-label": "Heatmaps" });
  private tiles: Tile[] = [];
  private readonly tops = new Map<string, HTMLElement>();
  private readonly reasons = new Map<Key, HTMLElement>();
  private built = "";
  private focused: Selected | null = null;
  private painting = 0;
  private readonly resized = new ResizeObserver(() => this.paintSoon());

  constructor(private readonly session: Session) {
    this.element.addEventListener("pointerleave", () => session.hover(null));
    session.on((change) => this.follow(change));
    this.follow("sheet");
    this.resized.observe(this.element);
  }

  close(): void {
    this.resized.disconnect();
    cancelAnimationFrame(this.painting);
  }

  /** The place that has the focus, if one has. */
  placeOf(target: EventTarget | null): Selected | null {
    return this.tiles.find((tile) => tile.element === target)?.place ?? null;
  }

  /** Move the focus by a key; whether the key meant that. */
  move(from: Selected, key: string): boolean {
    const here = this.tiles.find((tile) => same(tile.place, from));
    const to = here && moved(here.at, key, this.session.shape);
    if (!to) return false;
    this.tiles.find(({ at }) => at.row === to.row && at.column === to.column)?.element.focus();
    return true;
  }

  focus(): void {
    this.tiles.find((tile) => tile.element.tabIndex === 0)?.element.focus();
  }

  private follow(change: Change): void {
    if (change === "sheet" || change === "arrangement") this.buildIfNew();
    for (const [target, element] of this.reasons) {
      element.textContent = this.reasonOf(target) ?? "";
      element.hidden = element.textContent === "";
    }
    this.writeTops();
    for (const tile of this.tiles) this.mark(tile);
    if (change !== "busy") this.paintSoon();
  }

  private buildIfNew(): void {
    const { session } = this;
    const { classes } = session.arrangement;
    const named = classes.map((target) => [session.sheet.name(target), target]);
    const shape = JSON.stringify([named, session.columns, session.live]);
    if (shape === this.built) return;
    const focus = this.element.contains(document.activeElement);
    this.built = shape;
    this.tiles = [];
    this.reasons.clear();
    this.tops.clear();
    this.element.classList.toggle("hx-across", session.shape.across);
    this.element.style.setProperty("--hx-columns", String(session.columns.length));
    const [height, width] = session.sheet.payload.size;
    this.element.style.setProperty("--hx-aspect", `${width} / ${height}`);
    fill(this.element, ...(session.shape.across ? this.oneRow() : this.rows()));
    if (classes.length === 0 || session.columns.length === 0) this.element.append(empty(session));
    if (focus) this.focus();
  }

  private rows(): HTMLElement[] {
    const { session } = this;
    const heads = session.columns.map((layer) => this.head(layer));
    const rows = session.arrangement.classes.map((target, row) =>
      h(
        "div",
        { role: "row", class: "hx-heat-row" },
        this.rowHead(target),
        ...session.columns.map((layer, column) => this.tile([target, layer], { row, column })),
        this.reason(target),
      ),
    );
    return [h("div", { role: "row", class: "hx-heat-row hx-layer-heads" }, ...heads), ...rows];
  }

  private oneRow(): HTMLElement[] {
    const layer = this.session.columns[0] ?? "";
    const tiles = this.session.arrangement.classes.map((target, column) => {
      const tile = this.tile([target, layer], { row: 0, column });
      return h("div", { class: "hx-one", role: "presentation" }, this.rowHead(target), tile);
    });
    return [h("div", { role: "row", class: "hx-heat-row" }, ...tiles)];
  }

  private head(name: string): HTMLElement {
    const layer = this.session.sheet.layer(name);
    const title = layerTitle(this.session.sheet, name);
    const top = h("span", { class: "hx-top-value", title: "the strongest colour of this layer" });
    this.tops.set(name, top);
    return h(
      "div",
      { role: "columnheader", title: name },
      h("strong", {}, title),
      layer && h("span", { class: "hx-cells" }, `${layer.shape[1]} × ${layer.shape[2]}`),
      title !== name && short(name, "hx-layer-name"),
      top,
    );
  }

  /** Where the colours of a layer's maps end, when they share a scale. */
  private writeTops(): void {
    const { session } = this;
    for (const [layer, element] of this.tops) {
      const one = session.shown.find((cell) => cell.layer === layer && !cell.picture);
      element.hidden = session.arrangement.scale !== "layer" || !one;
      element.textContent = one ? `to ${number(session.strongest(one))}` : "";
    }
  }

  private rowHead(target: Key): HTMLElement {
    const { session } = this;
    const [name, likely] = [session.sheet.name(target), session.sheet.probability(target)];
    const remove = button("×", () => session.arrangement.remove(target), {
      class: "hx-remove",
      "aria-label": `Take ${name} away`,
      title: `Take ${name} away`,
    });
    return h(
      "div",
      { role: "rowheader", class: "hx-class" },
      h("strong", {}, name),
      likely !== null && h("span", {}, percent(likely)),
      session.arrangement.classes.length > 1 && remove,
    );
  }

  /** Why a class has no map in any layer, said once. */
  private reason(target: Key): HTMLElement {
    const element = h("p", { class: "hx-reason", role: "note", hidden: true });
    this.reasons.set(target, element);
    return element;
  }

  private reasonOf(target: Key): string | null {
    if (!this.reasons.has(target)) return null;
    const errors = this.session.columns.map((layer) => this.session.error([target, layer]));
    return errors.every((one) => one === errors[0]) ? (errors[0] ?? null) : null;
  }

  private tile(place: Selected, at: Place): HTMLElement {
    const { session } = this;
    const canvas = h("canvas", { "aria-hidden": "true" });
    const marks = svg("svg", { class: "hx-marks", "aria-hidden": "true" });
    const caption = h("div", { class: "hx-heat-caption", "aria-hidden": "true" });
    const frame = h("div", { class: "hx-heat-frame" }, canvas, marks);
    const element = h("div", { role: "gridcell", class: "hx-heat", tabindex: -1 }, frame, caption);
    element.addEventListener("pointerenter", () => session.hover(place));
    element.addEventListener("focus", () => {
      this.focused = place;
      session.hover(null);
      session.select(place);
      for (const tile of this.tiles) this.mark(tile);
    });
    element.addEventListener("click", () => this.press(place));
    this.tiles.push({ place, at, element, canvas, marks, caption });
    return element;
  }

  private press(place: Selected): void {
    const { session } = this;
    if (session.cell(place) || session.error(place) !== null) session.pin(place);
    else session.retry();
  }

  private mark({ place, element, caption, marks }: Tile): void {
    const { session } = this;
    const [cell, error] = [session.cell(place), session.error(place)];
    const { pinned, selected } = session.arrangement;
    const stop = this.focused && this.holds(this.focused) ? this.focused : session.current;
    element.tabIndex = same(place, stop) ? 0 : -1;
    setAttribute(element, "aria-selected", same(place, session.current));
    element.setAttribute("aria-label", spoken(session.sheet, place, cell, error));
    element.classList.toggle("hx-current", same(place, session.current));
    element.classList.toggle("hx-pinned", pinned && same(place, selected));
    element.classList.toggle("hx-waiting", !cell && error === null && session.awaits(place));
    element.classList.toggle("hx-stale", session.coming !== null && cell !== null);
    element.classList.toggle("hx-failed", error !== null);
    fill(caption, ...this.captionOf(cell, this.reasonOf(place[0]) === null ? error : ""));
    drawBox(marks, session.arrangement.boxes ? cell : null, session.sheet.payload.size);
  }

  private captionOf(cell: HeatCell | null, error: string | null): (Node | false)[] {
    if (!cell && error !== null) return [h("span", { class: "hx-why-not" }, error)];
    if (!cell) return [h("span", {}, this.session.live ? "…" : "not in this evidence")];
    const [open, all] = cell.channels ?? [0, 0];
    const weak = this.session.weakness(cell);
    return [
      cell.picture ? false : h("span", { title: "largest value" }, number(cell.high)),
      cell.channels !== null &&
        h(
          "span",
          { class: "hx-open", title: `${open} of ${all} channels have a weight` },
          share(open / all),
          h("span", {}, String(open), h("i", {}, ` / ${all}`)),
        ),
      weak !== "" && h("span", { class: "hx-weak" }, weak),
    ];
  }

  private holds(place: Selected): boolean {
    return this.tiles.some((tile) => same(tile.place, place));
  }

  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private paint(): void {
    const { signed, opacity } = this.session.arrangement;
    for (const { canvas, place } of this.tiles) {
      const width = Math.round(canvas.clientWidth * devicePixelRatio);
      const height = Math.round(canvas.clientHeight * devicePixelRatio);
      if (width === 0) continue;
      if (canvas.width !== width || canvas.height !== height)
        Object.assign(canvas, { width, height });
      const cell = this.session.cell(place);
      const strongest = cell ? this.session.strongest(cell) : 1;
      this.session.painter.paint(canvas, cell, { strongest, signed, opacity });
    }
  }
}

function same(one: Selected | null, other: Selected | null): boolean {
  return one !== null && other !== null && one[0] === other[0] && one[1] === other[1];
}

function share(part: number): HTMLElement {
  const bar = h("b", { class: "hx-part" }, h("i", {}));
  (bar.firstChild as HTMLElement).style.width = `${100 * part}%`;
  return bar;
}

function empty(session: Session): HTMLElement {
  const words =
    session.arrangement.classes.length === 0
      ? "No class is chosen. Choose one beside the grid."
      : `There is no map of ${session.arrangement.method || "any method"} here.`;
  return h("p", { class: "hx-none" }, words);
}

/** The box of a map's localization, in white on black, to be seen on any ground. */
export function drawBox(
  marks: SVGSVGElement,
  cell: HeatCell | null,
  [height, width]: readonly [number, number],
): void {
  marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
  if (!cell?.box) {
    fill(marks);
    return;
  }
  const [x0, y0, x1, y1] = cell.box;
  const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  fill(
    marks,
    svg("rect", { class: "hx-outline-back", ...place }),
    svg("rect", { class: "hx-outline", ...place }),
  );
}
