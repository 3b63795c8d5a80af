// One concept of the tree: its name, what it is to each set, and how far it is explained itself; the
// marks that say so, and what these, lines and outlines stand for.
import { fill, h, setAttribute, short } from "../lib/dom.ts";
import { counted, number, percent } from "../lib/words.ts";
import type { Concept, Part } from "./payload.ts";
import type { Session } from "./session.ts";
import type { Frame, Spot } from "./spots.ts";
import { below, explainedOf, ownership, precision, spoken, weakness } from "./words.ts";

/** Average precision as a bar from 0 to 1, with a tick where a guess would be. */
function precisionMark(part: Part): HTMLElement | null {
  if (part.precision === null) return null;
  const bar = h("i", {});
  bar.style.width = `${100 * part.precision}%`;
  const chance = part.chance !== null && h("b", {});
  if (chance) chance.style.left = `${100 * (part.chance as number)}%`;
  return h(
    "span",
    { class: "hx-ap", title: precision(part) },
    h("span", { class: "hx-ap-bar", "aria-hidden": "true" }, bar, chance),
    h("span", { class: "hx-ap-value" }, `AP ${part.precision.toFixed(2)}`),
  );
}

/** What the concepts of the next level explain of this one, and the rest. */
function restMark(part: Part, named: boolean): HTMLElement | null {
  if (part.unexplained === null) return null;
  const bar = h("i", {});
  bar.style.width = `${100 * (1 - part.unexplained)}%`;
  const words = `${percent(part.unexplained)} unexplained`;
  return h(
    "span",
    { class: "hx-rest", title: `${words} by the concepts of the next level` },
    h("span", { class: "hx-rest-bar", "aria-hidden": "true" }, bar),
    h("span", { class: "hx-rest-value" }, named ? words : percent(part.unexplained)),
  );
}

/** In how many of a set's images a concept was found: a dot each, or a bar where they are many. */
function countMark(count: number, images: number): HTMLElement {
  const few = images <= 40;
  const dots = h("span", { class: few ? "hx-dots" : "hx-count-bar", "aria-hidden": "true" });
  if (few)
    for (let i = 0; i < images; i++) dots.append(h("i", { class: i < count ? "hx-in" : "" }));
  else {
    const bar = h("i", {});
    bar.style.width = `${(100 * count) / images}%`;
    dots.append(bar);
  }
  return h(
    "span",
    { class: "hx-counted", title: `found in ${count} of ${counted(images, "image")}` },
    dots,
    h("span", {}, `${count}/${images}`),
  );
}

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
  const doubts = concept.known.flatMap(({ hardly, flag }) => [hardly, flag]);
  const flags = [...new Set(doubts.filter((doubt) => doubt !== null))];
  const weak = first && !many ? weakness(concept, session, first.set) : "";
  element.classList.toggle(
    "hx-hardly",
    concept.known.some((part) => part.hardly !== null),
  );
  fill(
    element,
    short(concept.name, "hx-card-name"),
    h("div", { class: "hx-maps" }, ...sets.map((_, set) => figure(concept, session, set))),
    h(
      "div",
      { class: "hx-words" },
      !many && first && share(concept, first),
      first && precisionMark(first),
      weak && h("span", { class: "hx-weak" }, weak),
    ),
    flags.length > 0 && short(flags.join("; "), "hx-flag"),
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
  const whole = explainedOf(concept.parent, part.set);
  return h(
    "span",
    { class: against ? "hx-share hx-against" : "hx-share" },
    h("b", {}, against ? number(part.weight) : percent(part.share)),
    against && !short ? " against" : "",
    ...(against || short || whole === null ? [] : [" ", h("small", {}, `of ${percent(whole)}`)]),
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
  const weak = many ? weakness(concept, session, set) : "";
  const map = h(
    "span",
    { class: "hx-map", title: [many ? of.name : "", weak].filter(Boolean).join(": ") || null },
    canvas,
    many && h("span", { class: "hx-map-share" }, told || of.name),
    weak && h("span", { class: "hx-weak" }, weak),
    many && restMark(part, false),
  );
  if (many) map.style.setProperty("--hx-of", `var(--hx-set-${set})`);
  return map;
}

export function placeCard({ element }: Card, spot: Spot): void {
  element.style.transform = `translate(${spot.x}px, ${spot.y}px)`;
  element.style.width = `${spot.width}px`;
}

/** What lines, outlines and marks stand for, and what is missing where nothing was found. */
export function legend(session: Session): HTMLElement {
  const element = h("div", { class: "hx-legend" });
  const update = () => {
    const { sets, inference } = session;
    const against = inference.payload.parts.weight.some((weight) => weight < 0);
    fill(
      element,
      sets.length > 1 &&
        h("p", { class: "hx-set-names" }, ...sets.map((_, i) => setName(session, i))),
      sets.length > 1 && outlines(),
      h(
        "p",
        {},
        "Links together are as wide as a concept is explained, each by its weight",
        against && ", ",
        against && dashed(),
        ".",
      ),
      h("p", {}, shares(sets.length > 1)),
      ...placed(sets).map((words) => h("p", {}, words)),
      h("p", {}, "AP: held-out average precision; the tick is what a guess would reach."),
      inference.root.children.length === 0 &&
        h("p", { class: "hx-empty" }, "No concept was found that the decision rests on."),
    );
  };
  session.on((change) => change === "inference" && update());
  update();
  return element;
}

function shares(many: boolean): string {
  return many
    ? "%: share among what speaks for the concept before it."
    : "75 % of 40 %: three quarters of what speaks for the concept before it, of which 40 % is explained.";
}

/** How concepts of the sets were chosen, each said once. */
export function placed(sets: Session["sets"]): string[] {
  return [...new Set(sets.flatMap((one) => one.placed || []))];
}

function dashed(): HTMLElement {
  return h("span", { class: "hx-against" }, "dashed and blue where a concept speaks against");
}

function setName(session: Session, i: number): HTMLElement {
  const dot = h("i", { class: "hx-set-dot" });
  dot.style.background = `var(--hx-set-${i})`;
  const set = session.sets[i];
  const images = set && set.images > 0 ? ` (${counted(set.images, "image")})` : "";
  return h("span", { class: "hx-set-name" }, dot, `${set?.name}${images}`);
}

function outlines(): HTMLElement {
  const key = (name: string, text: string) =>
    h("span", { class: "hx-outline-key" }, h("i", { class: name }), text);
  return h(
    "p",
    { class: "hx-outlines" },
    key("hx-shared", "shared by all"),
    key("hx-some", "by some"),
    key("hx-own", "one's own, in its colour"),
  );
}
