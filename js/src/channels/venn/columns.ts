// Many classes as an UpSet plot: a column per region, its bar as high as its number of channels.
import { fill, h, svg } from "../../lib/dom.ts";
import { counted, shortened } from "../../lib/words.ts";
import { emphasise, listen } from "./circles.ts";
import { tint } from "./classes.ts";
import type { Region, Session } from "./session.ts";
import { type Column, ordered, UPSET, upset } from "./upset.ts";

const DOT = 7;
const LETTER = 8.2;
const NARROW = { below: 560, names: 96 };

export class Columns {
  readonly element = h("figure", { class: "hx-upset" });
  private readonly groups = new Map<string, SVGGElement>();

  constructor(private readonly session: Session) {
    this.element.addEventListener("keydown", (event) => this.walk(event));
  }

  draw(width: number): void {
    const { regions, overlap, saved } = this.session;
    const sizes = overlap.classes.map((_, i) => this.session.sizeOf(i));
    const longest = Math.max(...overlap.classes.map((name) => name.length)) * LETTER + 14;
    const most = width < NARROW.below ? NARROW.names : UPSET.names;
    const names = Math.min(most, Math.max(60, longest));
    const plot = upset(ordered(regions, saved.sort ?? "size"), sizes, width, names);
    this.groups.clear();
    const canvas = svg(
      "svg",
      { width: plot.width, height: plot.height, role: "group", "aria-label": "UpSet plot" },
      ...plot.rows.map((row, i) => this.row(row, i, names, plot.width)),
      svg("line", {
        class: "hx-axis",
        x1: names + UPSET.sizes + 8,
        x2: plot.width,
        y1: plot.barFoot + 0.5,
        y2: plot.barFoot + 0.5,
      }),
      ...plot.columns.map((column) => this.column(column, plot.height)),
    );
    const scroll = h("div", { class: "hx-scroll" }, canvas);
    fill(this.element, scroll);
    this.emphasise();
    const chosen = plot.columns.find(({ group }) => group.key === this.session.region?.key);
    if (chosen) scroll.scrollLeft = chosen.x + 2 * chosen.width - scroll.clientWidth;
  }

  emphasise(): void {
    emphasise(this.groups, this.session);
    for (const [key, group] of this.groups)
      group.setAttribute("tabindex", key === this.session.region?.key ? "0" : "-1");
  }

  private row({ y, bar }: { y: number; bar: number }, i: number, names: number, width: number) {
    const name = this.session.overlap.classes[i] as string;
    const fits = Math.floor((names - 12) / LETTER);
    const text = shortened(name, fits);
    const sizes = svg("rect", { x: names, y: y - 8, width: Math.max(1, bar), height: 16, rx: 2 });
    sizes.style.fill = tint(i);
    return svg(
      "g",
      { class: i % 2 ? "hx-row" : "hx-row hx-striped" },
      svg("rect", { class: "hx-stripe", x: 0, y: y - UPSET.row / 2, width, height: UPSET.row }),
      svg("text", { x: names - 10, y, class: "hx-row-name" }, text, svg("title", {}, name)),
      sizes,
      svg("text", { x: names + bar + 5, y, class: "hx-row-size" }, String(this.session.sizeOf(i))),
    );
  }

  private column(column: Column<Region>, height: number): SVGGElement {
    const { group, x, width, barTop, barHeight, dots, line } = column;
    const middle = x + width / 2;
    const bar = Math.min(26, width * 0.6);
    const label = `${group.name}: ${counted(group.size, "channel")}`;
    const made = svg(
      "g",
      { class: "hx-column", role: "button", "aria-label": label, "data-region": group.key },
      svg("title", {}, label),
      svg("rect", { class: "hx-hit", x: x + 1, y: 0, width: width - 2, height, rx: 6 }),
      svg("rect", {
        class: "hx-size",
        x: middle - bar / 2,
        y: barTop,
        width: bar,
        height: barHeight,
        rx: 2,
      }),
      svg("text", { x: middle, y: barTop - 6 }, String(group.size)),
      svg("line", { class: "hx-joint", x1: middle, x2: middle, y1: line[0], y2: line[1] }),
      ...dots.map(({ y, inside }) =>
        svg("circle", { class: inside ? "hx-dot hx-inside" : "hx-dot", cx: middle, cy: y, r: DOT }),
      ),
    );
    listen(
      made,
      () => this.session.look(group),
      (on) => this.session.hover(on ? group : null),
    );
    this.groups.set(group.key, made);
    return made;
  }

  private walk(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const all = [...this.groups.values()];
    const here = all.indexOf(event.target as SVGGElement);
    const next = step === undefined || here < 0 ? undefined : all[here + step];
    const region = this.session.regions.find(
      (one) => one.key === next?.getAttribute("data-region"),
    );
    if (!region) return;
    event.preventDefault();
    this.session.look(region);
    this.groups.get(region.key)?.focus();
  }
}
