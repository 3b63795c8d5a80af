// One sunburst: rings around the image or a concept's map, and what speaks against it beside them.

import {
  button,
  classed,
  fill,
  h,
  listen,
  reducedMotion,
  setAttribute,
  short,
  svg,
} from "../lib/dom.ts";
import { counted, number, percent } from "../lib/words.ts";
import { GaugeMark, thickness } from "./gauge.ts";
import type { Concept, Part } from "./payload.ts";
import {
  type Arc,
  arcOf,
  arcPath,
  between,
  nameIn,
  type Rings,
  radii,
  type Slice,
  slicesOf,
} from "./rings.ts";
import type { Session } from "./session.ts";
import { explained, levelName, spoken } from "./words.ts";

const TIME = 480;
const MOST = 640; // pixels across
const LETTERS = { least: 12, most: 17, part: 1 / 19 }; // pixels high; of the radius
const FINE = 2;
const MOST_AGAINST = 6;

interface Drawn {
  readonly slice: Slice;
  readonly concept: Concept;
  readonly path: SVGPathElement;
  readonly label: SVGTextElement;
  readonly gauge: GaugeMark | null;
  readonly wide: number;
  arc: Arc;
}

/** The rings of one set below a concept. */
function ringsOf(concept: Concept, set: number): Rings {
  const part = concept.parts[set];
  return {
    key: concept.key,
    share: part?.share ?? 0,
    against: (part?.weight ?? 0) < 0,
    unexplained: part?.unexplained ?? null,
    children: concept.children.filter((one) => one.parts[set]).map((one) => ringsOf(one, set)),
  };
}

export class Chart {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { class: "hx-centre", "aria-hidden": "true" });
  private readonly rings = svg("g", { class: "hx-rings" });
  private readonly gauges = svg("g", { class: "hx-gauges" });
  private readonly names = svg("g", { class: "hx-labels", "aria-hidden": "true" });
  private readonly mark = svg("path", { class: "hx-mark", "aria-hidden": "true" });
  private readonly picture = svg(
    "svg",
    { role: "group" },
    this.rings,
    this.gauges,
    this.mark,
    this.names,
  );
  private readonly frame = h("div", { class: "hx-burst" }, this.canvas, this.picture);
  private readonly out: HTMLButtonElement;
  private readonly missing = h("p", { class: "hx-missing" });
  private readonly told = h("span", { class: "hx-of-it" });
  private readonly against = h("div", { class: "hx-against-list" });
  private drawn: Drawn[] = [];
  private slices: Slice[] = [];
  private radius = 0;
  private turning = 0;
  private centre = "";

  constructor(
    private readonly session: Session,
    readonly set: number,
    private readonly choose: (concept: Concept) => void,
  ) {
    this.out = button("", () => this.outward(), { class: "hx-out" });
    this.frame.append(this.out, this.missing);
    this.element = h("figure", { class: "hx-chart", "data-set": set }, this.frame, this.caption());
    this.element.append(this.against);
    for (const drawn of [this.rings, this.gauges]) {
      listen(drawn, {
        click: (event) => this.press(event),
        pointerover: (event) => session.hover(this.at(event.target)),
        pointerleave: () => session.hover(null),
      });
    }
    this.slices = slicesOf(ringsOf(session.inference.root, set));
  }

  close(): void {
    cancelAnimationFrame(this.turning);
  }

  at(target: EventTarget | null): Concept | null {
    const key = (target as Element | null)?.closest?.("[data-key]")?.getAttribute("data-key");
    return this.session.inference.concepts.get(key ?? "none") ?? null;
  }

  /** Lay the rings out anew for the room there is. */
  resize(): void {
    const size = Math.min(MOST, this.frame.clientWidth);
    if (size < 40 || size / 2 === this.radius) return;
    this.radius = size / 2;
    setAttribute(this.picture, "viewBox", `${-size / 2} ${-size / 2} ${size} ${size}`);
    this.picture.style.width = `${size}px`;
    this.picture.style.height = `${size}px`;
    this.make();
    this.show(false);
  }

  /** Turn to the concept that is in the middle now. */
  turn(): void {
    if (this.radius > 0) this.show(this.centre !== this.session.zoom.key && !reducedMotion());
  }

  /** Mark what is looked at, here and wherever else the same concept stands. */
  emphasise(): void {
    const { current, selected, hovered } = this.session;
    let tabbed = false;
    for (const { concept, slice, path } of this.drawn) {
      const same = concept.name === current.name && concept.depth === current.depth;
      classed(path, "hx-same", same && current.depth > 0);
      classed(path, "hx-chosen", concept.key === selected.key);
      if (concept.key === selected.key && this.seen(slice)) tabbed = true;
      setAttribute(path, "tabindex", concept.key === selected.key ? "0" : "-1");
    }
    if (!tabbed) this.drawn.find((one) => this.seen(one.slice))?.path.setAttribute("tabindex", "0");
    classed(this.frame, "hx-hovering", hovered !== null && hovered.depth > 0);
    this.outline();
  }

  /** Drawn over all slices: the edge of one would lie half below its neighbours. */
  private outline(): void {
    const marked = this.drawn.filter(
      ({ path }) => path.classList.contains("hx-same") || path.classList.contains("hx-chosen"),
    );
    setAttribute(this.mark, "d", marked.map(({ path }) => path.getAttribute("d")).join(""));
  }

  focus(concept: Concept): boolean {
    const found = this.drawn.find((one) => one.concept.key === concept.key);
    if (!found || !this.seen(found.slice)) return false;
    found.path.focus();
    return true;
  }

  paint(): void {
    const { painter, sets, zoom } = this.session;
    const part = zoom.parts[this.set];
    const side = Math.round(2 * this.inner * FINE);
    this.canvas.hidden = !part;
    if (!part || side < 8) return;
    this.canvas.width = this.canvas.height = side;
    this.canvas.style.width = this.canvas.style.height = `${side / FINE}px`;
    if ((sets[this.set]?.images ?? 0) > 0) painter.paintAlbum(this.canvas, this.set, 9);
    else painter.paint(this.canvas, part);
  }

  private get letters(): number {
    const { least, most, part } = LETTERS;
    return Math.round(Math.min(most, Math.max(least, this.radius * part)));
  }

  private get inner(): number {
    return (radii(this.radius, 1)[0] ?? 0) - thickness(this.radius) - 5;
  }

  private seen(slice: Slice): boolean {
    const { zoom } = this.session;
    return slice.key !== zoom.key && (zoom.key === "" || slice.key.startsWith(`${zoom.key}.`));
  }

  private caption(): HTMLElement {
    const { sets } = this.session;
    const of = sets[this.set];
    if (!of) return h("figcaption");
    const { target, images, name } = of;
    const facts =
      images > 0
        ? counted(images, "image")
        : `${percent(target.probability)} · logit ${number(target.logit)}`;
    return h(
      "figcaption",
      {},
      h("b", {}, name || target.name),
      h("span", {}, name && target.name),
      h("span", {}, facts),
      this.told,
      h("span", { class: "hx-of-it" }, of.pale),
    );
  }

  private make(): void {
    const { inference } = this.session;
    const pen = h("canvas").getContext("2d");
    const font = getComputedStyle(this.frame);
    if (pen) pen.font = `${this.letters}px ${font.fontFamily}`;
    this.names.style.fontSize = `${this.letters}px`;
    this.drawn = this.slices.map((slice) => {
      const concept = inference.concepts.get(slice.key) as Concept;
      const label = svg("text", {}, concept.name);
      if (concept.parts[this.set]?.hardly) label.classList.add("hx-on-pale");
      else if (brightness(concept.colour) <= 140) label.classList.add("hx-light");
      const wide = pen?.measureText(concept.name).width ?? 1e9;
      const left = slice.unexplained;
      const gauge = left === null ? null : new GaugeMark(concept, inference, this.set, left);
      const arc = { x0: 0, x1: 0, r0: 0, r1: 0 };
      return { slice, concept, path: this.slice(concept), label, gauge, wide, arc };
    });
    // the decision is never a slice: its image is in the middle, or it is out of sight
    const below = this.drawn.filter(({ slice }) => slice.depth > 0);
    this.rings.replaceChildren(...below.map((one) => one.path));
    this.names.replaceChildren(...below.map((one) => one.label));
    this.gauges.replaceChildren(...this.drawn.flatMap((one) => one.gauge?.element ?? []));
    const name = this.session.sets[this.set]?.name;
    setAttribute(this.picture, "aria-label", `Rings of ${name || inference.root.name}`);
  }

  private slice(concept: Concept): SVGPathElement {
    const words = spoken(concept, this.session.inference, this.set);
    const path = svg(
      "path",
      { class: "hx-slice", role: "button", tabindex: -1, "aria-label": words },
      svg("title", {}, words),
    );
    path.dataset.key = concept.key;
    path.style.fill = concept.colour;
    const light = brightness(concept.colour);
    classed(path, "hx-faint", light > 244 || light < 45);
    classed(path, "hx-hardly", Boolean(concept.parts[this.set]?.hardly));
    return path;
  }

  private show(smooth: boolean): void {
    const { session } = this;
    const { zoom, inference } = session;
    this.centre = zoom.key;
    const centre = this.slices.find((one) => one.key === zoom.key);
    this.missing.hidden = centre !== undefined;
    this.missing.textContent = `${zoom.name} is not among its concepts that speak for it here.`;
    classed(this.picture, "hx-gone", centre === undefined);
    const edges = radii(this.radius - 2, inference.payload.levels.length - 1 - zoom.depth);
    const from = this.drawn.map((one) => one.arc);
    const to = this.drawn.map(({ slice }) =>
      centre ? arcOf(slice, centre, edges) : { x0: 0, x1: 0, r0: 0, r1: 0 },
    );
    cancelAnimationFrame(this.turning);
    const start = performance.now();
    const step = (now: number) => {
      const part = smooth ? Math.min(1, Math.max(0, (now - start) / TIME)) : 1;
      const eased = part * part * (3 - 2 * part);
      this.drawn.forEach((one, i) => {
        one.arc = between(from[i] as Arc, to[i] as Arc, eased);
        this.place(one, part === 1);
      });
      this.outline();
      if (part < 1) this.turning = requestAnimationFrame((time) => session.guard(() => step(time)));
    };
    step(start);
    const part = zoom.parts[this.set];
    this.told.textContent = part ? explained(zoom, inference, part) : "";
    this.writeOut();
    this.writeAgainst(zoom);
    this.emphasise();
    this.paint();
  }

  private place({ arc, path, label, gauge, wide, slice, concept }: Drawn, still: boolean): void {
    const body = gauge?.place(arc, thickness(this.radius)) ?? arc;
    // the concept in the middle gives way to its map once the rings stand still
    const middle = slice.depth === 0 || (still && slice.key === this.centre);
    const shown = body.r1 > body.r0 && body.x1 > body.x0 && !middle;
    setAttribute(path, "d", shown ? arcPath(body) : "");
    classed(path, "hx-away", !shown);
    const at = still && shown ? nameIn(body, concept.name, wide, this.letters + 1) : null;
    classed(label, "hx-away", at === null);
    if (!at) return;
    label.textContent = at.text;
    setAttribute(label, "transform", `translate(${at.x} ${at.y}) rotate(${at.turn})`);
  }

  private writeOut(): void {
    const { zoom } = this.session;
    const size = `${2 * this.inner}px`;
    this.out.style.width = size;
    this.out.style.height = size;
    this.out.disabled = zoom.parent === null;
    const above = zoom.parent?.name ?? "";
    setAttribute(this.out, "aria-label", zoom.parent ? `Back to ${above}` : zoom.name);
    this.out.title = zoom.parent ? `${zoom.name}: back to ${above}` : zoom.name;
  }

  private outward(): void {
    const { parent } = this.session.zoom;
    if (parent) this.session.zoomTo(parent);
  }

  private press(event: MouseEvent): void {
    const concept = this.at(event.target);
    if (concept) this.choose(concept);
  }

  /** What speaks against the concept in the middle, or against one below it: never a slice. */
  private writeAgainst(zoom: Concept): void {
    const found = below(zoom).flatMap((concept): [Concept, Part][] => {
      const part = concept.parts[this.set];
      return part && part.weight < 0 && concept.key !== zoom.key ? [[concept, part]] : [];
    });
    found.sort(([a, p], [b, q]) => a.depth - b.depth || p.weight - q.weight);
    const more = found.length - MOST_AGAINST;
    this.against.hidden = found.length === 0;
    fill(
      this.against,
      h("h4", {}, "Speaks against"),
      h(
        "ul",
        {},
        ...found.slice(0, MOST_AGAINST).map(([concept, part]) => this.row(concept, part)),
      ),
      more > 0 && h("p", { class: "hx-layer" }, `and ${more} more, in the list below`),
    );
  }

  private row(concept: Concept, part: Part): HTMLElement {
    const bar = h("i", { "aria-hidden": "true" });
    bar.style.width = `${100 * part.part}%`;
    const title = spoken(concept, this.session.inference, this.set);
    const name = button("", () => this.session.select(concept), { title });
    name.append(short(concept.name));
    const row = h(
      "li",
      {},
      name,
      short(
        `in ${levelName(this.session.inference, concept.depth - 1).toLowerCase()} ${concept.parent?.name}`,
        "hx-layer",
      ),
      h("span", { class: "hx-against-bar", title: `${percent(part.part)} of all weights` }, bar),
      h("span", { class: "hx-number" }, number(part.weight)),
    );
    listen(row, {
      pointerenter: () => this.session.hover(concept),
      pointerleave: () => this.session.hover(null),
    });
    return row;
  }
}

function below(concept: Concept): Concept[] {
  return [concept, ...concept.children.flatMap(below)];
}

function brightness(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * (r ?? 0) + 0.587 * (g ?? 0) + 0.114 * (b ?? 0);
}
