// One concept of the tree: its name, what is folded in it, and its F1 with the chance level.

import { fill, h, setAttribute } from "../lib/dom.ts";
import { bringOut } from "./hovering.ts";
import type { Slab } from "./ribbons.ts";
import type { Session } from "./session.ts";
import { conceptWords } from "./words.ts";

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
    this.name.textContent = concepts[i] as string;
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
