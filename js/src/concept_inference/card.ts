// One concept of the tree: its name, what it is to each set, and how far it is explained itself.

import { fill, h, setAttribute } from "../lib/dom.ts";
import { number, percent } from "../lib/words.ts";
import { countMark, precisionMark, restMark } from "./marks.ts";
import type { Concept, Part } from "./payload.ts";
import type { Session } from "./session.ts";
import type { Frame, Spot } from "./spots.ts";
import { below, ownership, spoken } from "./words.ts";

export interface Card {
  readonly element: HTMLElement;
  concept: Concept;
  /** What it was last written for: it is not written again for the same. */
  written: string;
}

export function makeCard(concept: Concept): Card {
  const element = h("div", { class: "hx-card", role: "treeitem", tabindex: -1 });
  return { element, concept, written: "" };
}

/** Write all of a card but its place. */
export function writeCard({ element, concept }: Card, session: Session, frame: Frame): void {
  const { inference, sets } = session;
  const closed = concept.children.length > 0 && !session.open.has(concept.key);
  const toggle = h(
    "span",
    {
      class: "hx-toggle",
      "aria-hidden": "true",
      title: closed ? `Open ${below(concept, inference)}` : "Fold",
    },
    closed ? `+${concept.children.length}` : "−",
  );
  const many = sets.length > 1;
  const [first] = concept.known;
  element.dataset.key = concept.key;
  element.style.setProperty("--hx-map", `${Math.floor(frame.map)}px`);
  setAttribute(element, "aria-level", concept.depth + 1);
  setAttribute(element, "aria-label", spoken(concept, inference));
  setAttribute(element, "aria-posinset", 1 + (concept.path.at(-1) ?? 0));
  setAttribute(element, "aria-setsize", concept.parent?.children.length ?? 1);
  setAttribute(element, "aria-expanded", concept.children.length > 0 ? String(!closed) : null);
  own(element, concept, session);
  const flags = [
    ...new Set(concept.known.map((part) => part.flag).filter((flag) => flag !== null)),
  ];
  fill(
    element,
    h("span", { class: "hx-card-name", title: concept.name }, concept.name),
    h("div", { class: "hx-maps" }, ...sets.map((_, set) => figure(concept, session, set))),
    h(
      "div",
      { class: "hx-words" },
      !many && first && share(concept, first),
      first && precisionMark(first),
    ),
    flags.length > 0 && h("span", { class: "hx-flag", title: flags.join("; ") }, flags.join("; ")),
    !many && first && restMark(first, true),
    concept.children.length > 0 && toggle,
  );
}

/** Who has the concept: outlined as all sets', some sets', or one set's own. */
function own(element: HTMLElement, concept: Concept, session: Session): void {
  const { known } = concept;
  const many = session.sets.length > 1 && concept.parent !== null;
  element.classList.toggle("hx-shared", many && known.length === session.sets.length);
  element.classList.toggle(
    "hx-some",
    many && known.length > 1 && known.length < session.sets.length,
  );
  element.classList.toggle("hx-own", many && known.length === 1);
  const only = known.length === 1 ? known[0] : null;
  element.style.setProperty("--hx-tint", only ? `var(--hx-set-${only.set})` : "");
  setAttribute(element, "title", ownership(concept, session.inference) || null);
}

function share(concept: Concept, part: Part, short = false): HTMLElement | null {
  if (!concept.parent) return null;
  const against = part.weight < 0;
  return h(
    "span",
    { class: against ? "hx-share hx-against" : "hx-share" },
    h("b", {}, against ? number(part.weight) : percent(part.share)),
    against && !short ? " against" : "",
  );
}

function figure(concept: Concept, session: Session, set: number): HTMLElement {
  const part = concept.parts[set];
  const of = session.sets[set];
  const many = session.sets.length > 1;
  if (!part || !of) return h("span", { class: "hx-map hx-none", title: `not of ${of?.name}` }, "–");
  const counted = of.images > 0 && concept.parent !== null;
  const canvas = counted
    ? countMark(part.count, of.images)
    : h("canvas", { "aria-hidden": "true", "data-set": set });
  const told = many && concept.parent && share(concept, part, true);
  const map = h(
    "span",
    { class: "hx-map", title: many ? of.name : null },
    canvas,
    many && h("span", { class: "hx-map-share" }, told || of.name),
    many && restMark(part, false),
  );
  if (many) map.style.setProperty("--hx-of", `var(--hx-set-${set})`);
  return map;
}

export function placeCard({ element }: Card, spot: Spot): void {
  element.style.transform = `translate(${spot.x}px, ${spot.y}px)`;
  element.style.width = `${spot.width}px`;
}
