// The map that is looked at, large: over the image, with its scale and its facts; and the classes:
// the image's strongest first, each with its probability, then all others by name.

import { ramp, type Tick } from "../lib/colours.ts";
import { searchField } from "../lib/controls.ts";
import { button, fill, h, setAttribute, short, svg } from "../lib/dom.ts";
import { scaled } from "../lib/heat.ts";
import { number, percent } from "../lib/words.ts";
import { drawBox } from "./grid.ts";
import type { MapChecks, Session } from "./session.ts";
import type { HeatCell, Key } from "./sheet.ts";
import { cellTitle, facts, spoken } from "./words.ts";

/** The classes: the image's strongest first, each with its probability, then all others by name. */
class Classes {
  readonly element = h("section", { class: "hx-classes" });
  private readonly list = h("ol", { class: "hx-bars", "aria-label": "Classes in the grid" });

  constructor(private readonly session: Session) {
    this.element.append(h("h3", {}, "Classes"), this.list);
    if (session.live) {
      const names = session.model.get("classes");
      const choose = (target: number | string) => void session.choose(target);
      this.element.append(searchField("Add a class", names, choose));
    }
    session.on((change) => {
      if (change === "sheet" || change === "arrangement") this.update();
    });
    this.update();
  }

  private update(): void {
    const { sheet, arrangement } = this.session;
    const offered: Key[] = sheet.payload.predictions.map((one) => one.index);
    const mapped = sheet.payload.targets.map((one) => one.key);
    const others = [...arrangement.classes, ...(this.session.live ? [] : mapped)];
    const known = new Set(this.session.live ? offered : mapped);
    const keys = [...new Set([...offered, ...others])];
    const at = [...this.list.querySelectorAll("button")].indexOf(
      document.activeElement as HTMLButtonElement,
    );
    fill(this.list, ...keys.map((key) => h("li", {}, this.row(key, known))));
    if (at >= 0) this.list.querySelectorAll("button")[at]?.focus();
  }

  private row(key: Key, known: ReadonlySet<Key>): HTMLElement {
    const { sheet, arrangement, live } = this.session;
    const [name, likely] = [sheet.name(key), sheet.probability(key)];
    const on = arrangement.classes.includes(key);
    const press = () => (on ? arrangement.remove(key) : arrangement.add(key));
    const row = button("", press, {
      "aria-pressed": String(on),
      disabled: !live && !known.has(key),
      title: on ? `Take ${name} away` : `Show ${name}`,
    });
    const bar = h("span", { class: "hx-bar" });
    bar.style.width = `${100 * (likely ?? 0)}%`;
    row.append(
      bar,
      h("span", { class: "hx-tick", "aria-hidden": "true" }, on ? "✓" : ""),
      short(name, "hx-name"),
      h("span", {}, likely === null ? "" : percent(likely)),
    );
    return row;
  }
}

const PIXELS = 640;

/** The map that is looked at, large: over the image, with its scale and its facts. */
export class Panel {
  readonly element = h("aside", { class: "hx-large", "aria-label": "The map looked at" });
  private readonly canvas = h("canvas", { role: "img" });
  private readonly marks = svg("svg", { class: "hx-marks", "aria-hidden": "true" });
  private readonly title = h("h3", {});
  private readonly pin: HTMLButtonElement;
  private readonly scale = h("div", { class: "hx-scale" });
  private readonly told = h("div", { class: "hx-told" });
  private readonly faith;
  private painting = 0;

  constructor(
    private readonly session: Session,
    checks: MapChecks,
  ) {
    const wording = () => ({ what: "this map" });
    this.faith = checks.line(wording, () => session.current);
    const press = () => {
      const { current } = session;
      if (current) session.pin(current);
    };
    this.pin = button("Pin", press);
    this.element.append(
      h("div", { class: "hx-picture" }, this.canvas, this.marks),
      this.scale,
      h("div", { class: "hx-large-head" }, this.title, this.pin),
      this.faith.element,
      this.told,
      new Classes(session).element,
    );
    session.on((change) => {
      if (change === "checks") this.faith.write();
      else if (change !== "busy") this.update();
    });
    this.update();
  }

  close(): void {
    cancelAnimationFrame(this.painting);
  }

  private update(): void {
    const { session } = this;
    const { current } = session;
    const cell = current && session.cell(current);
    const error = current && session.error(current);
    this.title.textContent = current ? cellTitle(session.sheet, current) : "";
    const label = current ? spoken(session.sheet, current, cell, error) : "The image";
    this.canvas.setAttribute("aria-label", label);
    this.pin.hidden = !cell && !error;
    setAttribute(this.pin, "aria-pressed", String(session.pinned));
    this.pin.textContent = session.pinned ? "Pinned" : "Pin";
    this.write(cell, error);
    this.faith.write();
    this.writeScale(cell);
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => session.guard(() => this.paint(cell)));
  }

  private write(cell: HeatCell | null, error: string | null): void {
    const { notes } = this.session.sheet.payload;
    const [layer, ...sentences] = cell ? facts(this.session.sheet, cell) : [""];
    const weak = cell ? this.session.weakness(cell) : "";
    fill(
      this.told,
      layer !== "" && h("p", { class: "hx-layer" }, layer),
      weak !== "" && h("p", { class: "hx-layer" }, `The map is ${weak} of its layer.`),
      ...sentences.map((text) => h("p", {}, text)),
      error !== null && h("p", { class: "hx-error", role: "alert" }, error),
      ...notes.map((text) => h("p", { class: "hx-layer" }, text)),
    );
  }

  private paint(cell: HeatCell | null): void {
    const { session } = this;
    const [height, width] = session.sheet.payload.size;
    Object.assign(this.canvas, scaled({ width, height }, PIXELS));
    const { signed, opacity, boxes } = session.arrangement;
    const strongest = cell ? session.strongest(cell) : 1;
    session.painter.paint(this.canvas, cell, { strongest, signed, opacity });
    drawBox(this.marks, boxes ? cell : null, [height, width]);
  }

  /** The colours with their numbers, and where on them this map begins and ends. */
  private writeScale(cell: HeatCell | null): void {
    this.scale.hidden = !cell || cell.picture !== null;
    if (!cell || cell.picture) return;
    const { signed } = this.session.arrangement;
    const strongest = this.session.strongest(cell);
    fill(this.scale, signedRamp(signed, signed ? number(-strongest) : "0", number(strongest)));
    const least = signed ? -strongest : 0;
    const at = (value: number) =>
      `${(100 * (Math.max(least, value) - least)) / (strongest - least)}%`;
    const extent = h("div", {
      class: "hx-extent",
      title: "from this map's smallest to its largest",
    });
    extent.style.left = at(signed ? cell.low : Math.max(0, cell.low));
    extent.style.right = `calc(100% - ${at(Math.max(least, cell.high))})`;
    this.scale.querySelector(".hx-ramp")?.after(extent);
  }
}

/** The colours of heat: both signs, or what speaks for the class alone. */
export function signedRamp(signed: boolean, low: string, high: string): HTMLElement {
  const zero: Tick[] = signed ? [[50, "0"]] : [];
  return h("div", {}, ...ramp(signed ? -1 : 0, 1, [[0, low], ...zero, [100, high]]));
}
