// The rows at the ribbons' ends: a concept's name, what is folded in it and its F1 with the chance
// level; a neuron's number, and the region in which it is strongest.

import { fill, h, setAttribute, short } from "../lib/dom.ts";
import type { Slab } from "./ribbons.ts";
import type { Session, Spot } from "./session.ts";
import { conceptWords, neuronWords } from "./words.ts";

/** Bring a row out, with all that is linked to it, while the pointer or the keyboard is on it. */
function bringOut(row: HTMLElement, session: Session, spot: Spot): void {
  for (const event of ["pointerenter", "focusin"])
    row.addEventListener(event, () => session.hover(spot));
  for (const event of ["pointerleave", "focusout"])
    row.addEventListener(event, () => session.hover(null));
}

/** One concept of the tree: its name, what is folded in it, and its F1 with the chance level. */
export class ConceptRow {
  readonly element = h("div", { class: "hx-concept", role: "treeitem" });
  private readonly twist = h("span", { class: "hx-twist", "aria-hidden": "true" });
  private readonly name = h("span", { class: "hx-name" });
  private readonly more = h("span", { class: "hx-more" });
  private readonly gauge = h("span", { class: "hx-gauge" });

  constructor(
    private readonly session: Session,
    private readonly i: number,
    tint: string,
  ) {
    const { element } = this;
    element.append(this.twist, this.name, this.more, this.gauge);
    element.style.setProperty("--hx-tint", tint);
    element.dataset.concept = session.graph.concepts[i];
    this.twist.addEventListener("click", (event) => {
      event.stopPropagation();
      session.fold(i, !session.folded.has(i));
    });
    element.addEventListener("click", () => session.chooseConcept(i));
    bringOut(element, session, { kind: "concept", i });
  }

  focus(): void {
    this.element.focus({ preventScroll: false });
  }

  draw(tint: string): void {
    const { session, i, element } = this;
    const { concepts, flags } = session.graph;
    const node = session.tree[i];
    const inner = (node?.children.length ?? 0) > 0;
    const folded = session.folded.has(i);
    const others = node?.others.length ?? 0;
    element.style.setProperty("--hx-tint", tint);
    element.style.setProperty("--hx-depth", String(node?.depth ?? 0));
    setAttribute(element, "aria-level", (node?.depth ?? 0) + 1);
    setAttribute(element, "aria-expanded", inner ? String(!folded) : null);
    setAttribute(element, "aria-label", conceptWords(session, i));
    element.title = conceptWords(session, i);
    element.classList.toggle("hx-doubtful", Boolean(flags[i]));
    this.twist.textContent = inner ? "›" : "";
    this.twist.classList.toggle("hx-open", inner && !folded);
    fill(this.name, short(concepts[i] as string));
    fill(
      this.more,
      folded && inner && h("span", { class: "hx-count" }, `+${session.below[i]}`),
      others > 0 && h("span", { class: "hx-count" }, `×${others + 1}`),
    );
    fill(this.gauge, ...gauge(session, i));
    this.choose();
  }

  place(slab: Slab | undefined): void {
    if (!slab) return;
    this.element.style.translate = `0 ${slab.y}px`;
    this.element.style.height = `${slab.height}px`;
  }

  emphasise(on: boolean): void {
    this.element.classList.toggle("hx-on", on);
    this.choose();
  }

  private choose(): void {
    setAttribute(this.element, "aria-selected", String(this.session.concept === this.i));
  }
}

/** A bar for F1, a mark where chance lies, and the number; in words where it is no finding. */
function gauge(session: Session, i: number): HTMLElement[] {
  const { quality, flags } = session.graph;
  const { f1, chance } = quality[i] ?? { f1: 0, chance: 0 };
  const [bar, mark] = [h("i", { class: "hx-f1" }), h("i", { class: "hx-chance" })];
  bar.style.width = `${100 * f1}%`;
  mark.style.left = `${100 * chance}%`;
  return [
    h("span", { class: "hx-track" }, bar, mark),
    h("span", { class: "hx-number" }, flags[i] ? "⚑" : f1.toFixed(2)),
  ];
}

const ZOOM = 2; // how much of a small picture's place is shown

/** Addresses of the neurons' first pictures; made once for the portraits that are there. */
export class Thumbs {
  private urls = new Map<number, { url: string; at: readonly [number, number] }>();
  private source: unknown = null;

  constructor(private readonly session: Session) {}

  read(): void {
    const source = this.session.model.get("portraits");
    if (source === this.source) return;
    this.source = source;
    this.close();
    for (const number of this.session.graph.neurons) {
      const first = this.session.regions(number)?.[0];
      if (!first) continue;
      const url = URL.createObjectURL(new Blob([first.bytes]));
      this.urls.set(number, { url, at: first.at });
    }
  }

  of(number: number) {
    return this.urls.get(number);
  }

  close(): void {
    for (const { url } of this.urls.values()) URL.revokeObjectURL(url);
    this.urls.clear();
  }
}

/** One neuron: where its ribbons end, its number, and the region in which it is strongest. */
export class NeuronRow {
  readonly element = h("div", { class: "hx-neuron", role: "option" });
  private readonly block = h("i", { class: "hx-block", "aria-hidden": "true" });
  private readonly thumb = h("i", { class: "hx-thumb", "aria-hidden": "true", hidden: true });
  private readonly name = h("span", { class: "hx-number" });

  constructor(
    private readonly session: Session,
    private readonly i: number,
    private readonly thumbs: Thumbs,
  ) {
    const { element } = this;
    element.append(this.block, this.thumb, this.name);
    element.addEventListener("click", () => session.chooseNeuron(i));
    bringOut(element, session, { kind: "neuron", i });
  }

  focus(): void {
    this.element.focus();
  }

  /** Put it where it belongs; `thick` is how wide its ribbons are together. */
  place(slab: Slab | undefined, thick: number): void {
    if (!slab) return;
    this.element.style.translate = `0 ${slab.y}px`;
    this.element.style.height = `${slab.height}px`;
    this.block.style.height = `${Math.max(3, thick)}px`;
  }

  picture(): void {
    const number = this.session.graph.neurons[this.i] ?? -1;
    const found = this.thumbs.of(number);
    this.name.textContent = `#${number}`;
    this.element.dataset.neuron = String(number);
    setAttribute(this.element, "aria-label", neuronWords(this.session, this.i));
    this.thumb.hidden = !found;
    if (!found) return;
    const [y, x] = found.at;
    this.thumb.style.backgroundImage = `url("${found.url}")`;
    this.thumb.style.backgroundSize = `${100 * ZOOM}%`;
    this.thumb.style.backgroundPosition = `${shifted(x)}% ${shifted(y)}%`;
  }

  emphasise(on: boolean): void {
    this.element.classList.toggle("hx-on", on);
    setAttribute(this.element, "aria-selected", String(this.session.neuron === this.i));
  }
}

// where the enlarged picture must lie for its place to be in the middle, in CSS's per cent
function shifted(at: number): number {
  return Math.min(100, Math.max(0, (100 * (ZOOM * at - 0.5)) / (ZOOM - 1)));
}
