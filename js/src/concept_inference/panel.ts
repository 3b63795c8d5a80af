// The concept that is looked at: its map in each set, large, with all that is said of it.

import { mapRamp } from "../lib/colours.ts";
import { button, fill, h, short } from "../lib/dom.ts";
import { scaled } from "../lib/heat.ts";
import type { Grid } from "../lib/pixels.ts";
import { counted } from "../lib/words.ts";
import type { Concept, Part } from "./payload.ts";
import { type ConceptChecks, type Session, wording } from "./session.ts";
import { layerName, levelName, ownership, sentences, weakness } from "./words.ts";

const PIXELS = 520;
const ASIDE = 1100; // from this width on the panel is beside the drawing, as its style says
const THUMBNAILS = 16;

export class Panel {
  readonly element = h("aside", { class: "hx-concept", "aria-label": "The concept looked at" });
  private readonly crumbs = h("nav", { class: "hx-crumbs", "aria-label": "From the decision" });
  private readonly body = h("div", { class: "hx-concept-body" });
  private shown: Concept | null = null;
  private lines: (() => void)[] = [];
  private painting = 0;

  constructor(
    private readonly session: Session,
    private readonly checks: ConceptChecks,
    private readonly choose: (concept: Concept) => void,
  ) {
    this.element.append(this.crumbs, this.body);
    session.on((change) => {
      if (change === "busy") return;
      if (change === "inference" || this.wanted !== this.shown) this.write();
      if (change === "pixels") this.paintSoon();
      if (change === "checks") for (const write of this.lines) write();
    });
    this.write();
  }

  close(): void {
    cancelAnimationFrame(this.painting);
  }

  /** Above the drawing, what the pointer passes would move the drawing under it: only the choice. */
  private get wanted(): Concept {
    const aside = (this.element.parentElement?.clientWidth ?? 0) >= ASIDE;
    return aside ? this.session.current : this.session.selected;
  }

  private write(): void {
    const { session } = this;
    const { inference } = session;
    const concept = this.wanted;
    this.shown = concept;
    this.lines = [];
    fill(this.crumbs, ...this.trail(concept));
    const level = levelName(inference, concept.depth);
    const layer = layerName(inference.payload.layers[concept.depth] ?? null);
    const whose = ownership(concept, inference);
    fill(
      this.body,
      h(
        "div",
        { class: "hx-concept-head" },
        h("h3", {}, concept.name),
        h("p", { class: "hx-layer" }, [`${level} at ${layer}`, whose].filter(Boolean).join(" · ")),
      ),
      h(
        "div",
        { class: "hx-concept-sets" },
        ...concept.known.map((part) => this.set(concept, part)),
      ),
    );
    this.element.classList.toggle("hx-many", concept.known.length > 1);
    this.paintSoon();
  }

  private trail(concept: Concept): HTMLElement[] {
    return concept.line.map((one, i, line) => {
      const last = i === line.length - 1;
      const crumb = button("", () => this.choose(one), {
        "aria-current": last ? "true" : null,
        title: one.name,
      });
      crumb.append(short(one.name));
      return h("span", { class: "hx-crumb" }, crumb);
    });
  }

  private set(concept: Concept, part: Part): HTMLElement {
    const { inference, sets } = this.session;
    const of = sets[part.set];
    const words = sentences(concept, inference, part);
    const doubt = part.flag === null ? null : words.pop();
    return h(
      "section",
      { class: "hx-concept-set", "data-set": part.set },
      sets.length > 1 && h("h4", {}, of?.name ?? ""),
      this.picture(concept, part),
      part.map && scale(part.map),
      part.map && h("p", { class: "hx-layer" }, weakness(concept, this.session, part.set)),
      h(
        "div",
        { class: "hx-told" },
        ...words.map((text) => h("p", {}, text)),
        part.inferred && this.faith(concept, part),
        doubt && h("p", { class: "hx-doubt" }, doubt),
        ...(concept.parent ? [] : (of?.notes ?? [])).map((note) =>
          h("p", { class: "hx-layer" }, note),
        ),
      ),
    );
  }

  private faith(concept: Concept, part: Part): HTMLElement {
    const { element, write } = this.checks.line(
      () => wording(part),
      () => ({ concept, part }),
    );
    this.lines.push(write);
    write();
    return element;
  }

  private picture(concept: Concept, part: Part): HTMLElement | null {
    const set = this.session.sets[part.set];
    if (!set) return null;
    const [height, width] = set.size;
    const album = set.images > 0;
    const what = part.map
      ? `Map of ${concept.name} over the image`
      : album
        ? counted(set.images, "image")
        : "The image";
    const canvas = h("canvas", {
      role: "img",
      "aria-label": what,
      ...scaled({ width, height }, PIXELS),
      "data-set": part.set,
    });
    const label = album ? `Images of ${set.name || set.target.name}` : null;
    return h("figure", { class: "hx-picture", "aria-label": label }, canvas);
  }

  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private paint(): void {
    const { painter, sets } = this.session;
    for (const canvas of this.body.querySelectorAll("canvas")) {
      const set = Number(canvas.dataset.set);
      const part = this.shown?.parts[set];
      if (!part) continue;
      if ((sets[set]?.images ?? 0) > 0) painter.paintAlbum(canvas, set, THUMBNAILS);
      else painter.paint(canvas, part);
    }
  }
}

/** The colours of a map with their numbers. */
function scale(map: Grid): HTMLElement {
  const { bar, marks } = mapRamp(map, 22);
  return h("div", { class: "hx-scale" }, bar, marks);
}
