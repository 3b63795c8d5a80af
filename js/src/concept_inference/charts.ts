// All sunbursts side by side, with the way back from where they are zoomed in, and the keyboard.

import { KeySheet, type Keys, modified, take } from "../lib/controls.ts";
import { button, classed, fill, h, listen, short } from "../lib/dom.ts";
import { Chart } from "./chart.ts";
import type { Concept } from "./payload.ts";
import type { Session } from "./session.ts";
import { levelName } from "./words.ts";

const KEYS: Keys = [
  ["→  ←", "to the next concept of the ring, and back"],
  ["↑", "outward, to what the concept rests on"],
  ["↓", "inward, to the concept it is for"],
  ["Enter  Space", "bring the concept to the middle"],
  ["Esc  Backspace", "back outward; cancel what the kernel does"],
  ["Home", "back to the whole"],
  ["?", "show or hide these keys"],
];

export class Charts {
  readonly element: HTMLElement;
  readonly sheet: KeySheet;
  private readonly crumbs = h("nav", { class: "hx-crumbs", "aria-label": "What is in the middle" });
  private readonly grid = h("div", { class: "hx-charts" });
  private charts: Chart[] = [];
  private readonly watch: ResizeObserver;

  constructor(private readonly session: Session) {
    this.element = h("div", { class: "hx-sunbursts" }, this.crumbs, this.grid);
    this.sheet = new KeySheet(KEYS, () => this.focus(session.selected));
    this.watch = new ResizeObserver(() =>
      session.guard(() => {
        for (const chart of this.charts) chart.resize();
      }),
    );
    this.watch.observe(this.grid);
    listen(this.grid, {
      keydown: (event) => this.press(event),
      focusin: (event) => this.look(event),
    });
    session.on((change) => {
      if (change === "inference") this.make();
      if (change === "arrangement") this.turn();
      if (change === "look") for (const chart of this.charts) chart.emphasise();
      if (change === "pixels") for (const chart of this.charts) chart.paint();
    });
    this.make();
  }

  close(): void {
    this.watch.disconnect();
    for (const chart of this.charts) chart.close();
  }

  private make(): void {
    for (const chart of this.charts) chart.close();
    const choose = (concept: Concept) => this.zoomInto(concept);
    this.charts = this.session.sets.map((_, set) => new Chart(this.session, set, choose));
    classed(this.grid, "hx-alone", this.charts.length === 1);
    fill(this.grid, ...this.charts.map((chart) => chart.element));
    for (const chart of this.charts) chart.resize();
    this.writeCrumbs();
  }

  private turn(): void {
    for (const chart of this.charts) chart.turn();
    this.writeCrumbs();
  }

  private writeCrumbs(): void {
    const { zoom, inference } = this.session;
    const trail = zoom.line.map((one) => {
      const crumb = button("", () => this.session.zoomTo(one), {
        title: `${levelName(inference, one.depth)}: ${one.name}`,
        "aria-current": one === zoom ? "true" : null,
      });
      crumb.append(short(one.name));
      return h("span", { class: "hx-crumb" }, crumb);
    });
    fill(this.crumbs, ...trail);
  }

  /** Bring a concept to the middle; one on which nothing rests is only chosen. */
  private zoomInto(concept: Concept): void {
    if (concept.children.length > 0) this.session.zoomTo(concept);
    else this.session.select(concept);
  }

  private focus(concept: Concept): void {
    this.charts.some((chart) => chart.focus(concept));
  }

  private look(event: FocusEvent): void {
    const slice = (event.target as Element).closest?.(".hx-slice");
    const chart = slice && this.chartOf(event.target);
    const concept = chart?.at(event.target);
    if (concept) this.session.select(concept);
  }

  private chartOf(target: EventTarget | null): Chart | undefined {
    return this.charts.find((one) => one.element.contains(target as Node));
  }

  private press(event: KeyboardEvent): void {
    if (modified(event)) return;
    const chart = this.chartOf(event.target);
    const onSlice = (event.target as Element).classList.contains("hx-slice");
    const concept = onSlice ? chart?.at(event.target) : null;
    const done =
      (chart && concept && this.onSlice(chart, concept, event.key)) || this.anywhere(event.key);
    if (done) take(event);
  }

  private onSlice(chart: Chart, concept: Concept, key: string): boolean {
    const { set } = chart;
    const shown = (one: Concept) => (one.parts[set]?.weight ?? -1) >= 0;
    const beside = (by: number) => {
      const ring = [...this.session.inference.concepts.values()].filter(
        (one) => one.depth === concept.depth && shown(one),
      );
      const at = ring.indexOf(concept) + by;
      const order = by > 0 ? ring.slice(at) : ring.slice(0, Math.max(0, at + 1)).reverse();
      order.some((one) => chart.focus(one));
    };
    if (key === "ArrowRight") beside(1);
    else if (key === "ArrowLeft") beside(-1);
    else if (key === "ArrowUp") concept.children.filter(shown).some((one) => chart.focus(one));
    else if (key === "ArrowDown") concept.parent && chart.focus(concept.parent);
    else if (key === "Enter" || key === " ") this.enter(chart, concept);
    else return false;
    return true;
  }

  private enter(chart: Chart, concept: Concept): void {
    this.zoomInto(concept);
    const [first] = concept.children.filter((one) => (one.parts[chart.set]?.weight ?? -1) >= 0);
    if (first) chart.focus(first);
  }

  private anywhere(key: string): boolean {
    const { session } = this;
    const { zoom } = session;
    if (key === "?") this.sheet.toggle();
    else if (key === "Escape" && session.kernel.busy.length > 0) session.kernel.stop();
    else if ((key === "Escape" || key === "Backspace") && zoom.parent) this.back(zoom, zoom.parent);
    else if (key === "Home") this.back(zoom.line[1] ?? zoom, session.inference.root);
    else return false;
    return true;
  }

  private back(from: Concept, to: Concept): void {
    this.session.arrange({ zoom: to.key, selected: from.key });
    this.focus(from);
  }
}
