// The thin line between a concept and what it rests on: how much of it they explain.

import { classed, h, setAttribute, svg } from "../lib/dom.ts";
import type { Concept, Inference } from "./payload.ts";
import { type Arc, arcPath, gaugeOf } from "./rings.ts";
import { restOf } from "./words.ts";

const THICK = { least: 3, most: 4, part: 1 / 75 }; // pixels; of the radius

/** How thick gauges are in a chart of this radius, in pixels. */
export function thickness(radius: number): number {
  return Math.min(THICK.most, Math.max(THICK.least, radius * THICK.part));
}

export class GaugeMark {
  private readonly explained = svg("path", { class: "hx-explained" });
  private readonly rest = svg("path", { class: "hx-unexplained" });
  readonly element: SVGGElement;

  constructor(
    concept: Concept,
    inference: Inference,
    set: number,
    private readonly unexplained: number,
  ) {
    const part = concept.parts[set];
    const words = `${concept.name}: ${part ? restOf(concept, inference, part) : ""}`;
    const title = svg("title", {}, words);
    const told = { class: "hx-gauge", role: "img", "aria-label": words };
    this.element = svg("g", told, title, this.rest, this.explained);
    this.element.dataset.key = concept.key;
  }

  /** Draw it along an arc's outer edge; return what is left of the arc. */
  place(arc: Arc, thick: number): Arc {
    const { body, explained, rest } = gaugeOf(arc, this.unexplained, thick);
    const shown = arc.x1 > arc.x0 && arc.r1 > arc.r0;
    classed(this.element, "hx-away", !shown);
    setAttribute(this.explained, "d", shown ? arcPath(explained) : "");
    setAttribute(this.rest, "d", shown ? arcPath(rest) : "");
    return body;
  }
}

/** What angles and lines of the rings stand for, and how their concepts were chosen. */
export function ringsKey(placed: readonly string[]): HTMLElement {
  return h(
    "p",
    {},
    "Angle: share among what speaks for a concept, however little of it that explains. ",
    "Thin line: how much of it the next level explains, ",
    h("i", { class: "hx-rest-key", "aria-hidden": "true" }),
    " gray is unexplained.",
    ...placed.map((words) => ` ${words}`),
  );
}
