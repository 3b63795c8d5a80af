// One neuron: where its ribbons end, its number, and the region in which it is strongest.

import { h, setAttribute } from "../lib/dom.ts";
import { bringOut } from "./hovering.ts";
import type { Slab } from "./ribbons.ts";
import type { Session } from "./session.ts";
import { neuronWords } from "./words.ts";

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
