// The tree of concepts: a card each, in columns by level, links as wide as what they explain, and the
// keyboard on the card that has the focus.

import { type Acts, KeySheet, type Keys, modified, press, treeActs } from "../lib/controls.ts";
import { h, reducedMotion, setAttribute, svg } from "../lib/dom.ts";
import type { Branch } from "../lib/slots.ts";
import { type Card, makeCard, placeCard, writeCard } from "./card.ts";
import type { Concept } from "./payload.ts";
import type { Session } from "./session.ts";
import { type Frame, frameOf, links, type Spot, type Strand, spots, tall } from "./spots.ts";
import { explainedOf, layerName, levelName } from "./words.ts";

const PAINT_BUDGET = 24;
const HEAD = 46;
const TINY = 50; // smaller maps have no numbers beside their bars

/** A card for each concept, in columns by level, and links as wide as what they explain. */
export class Stage {
  readonly element: HTMLElement;
  private readonly plane = h("div", { class: "hx-cards", role: "tree" });
  private readonly heads = h("div", { class: "hx-heads", "aria-hidden": "true" });
  private readonly drawn = svg("svg", { class: "hx-links", "aria-hidden": "true" });
  private readonly cards = new Map<string, Card>();
  private places = new Map<string, Spot>();
  private frame: Frame;
  private width = 0;
  private painting = 0;
  private readonly unpainted = new Set<string>();
  private opened = "";
  private readonly watch: ResizeObserver;

  constructor(private readonly session: Session) {
    this.frame = frameOf(900, 5, 1);
    this.plane.setAttribute("aria-label", "Concepts, from the decision down");
    this.plane.append(this.drawn);
    this.element = h("div", { class: "hx-tree-stage" }, this.heads, this.plane);
    this.watch = new ResizeObserver(() => session.guard(() => this.resized()));
    this.watch.observe(this.element);
    this.plane.addEventListener("click", (event) => this.click(event));
    this.plane.addEventListener("pointerover", (event) => session.hover(this.at(event.target)));
    this.plane.addEventListener("pointerleave", () => session.hover(null));
    session.on((change) => {
      if (change === "inference") this.forget();
      if (change === "inference") this.draw(false);
      if (change === "arrangement") this.rearrange();
      if (change === "look") this.emphasise();
      if (change === "pixels") this.paintAll();
    });
  }

  close(): void {
    this.watch.disconnect();
    cancelAnimationFrame(this.painting);
  }

  at(target: EventTarget | null): Concept | null {
    const card = (target as Element | null)?.closest?.("[data-key]");
    return this.session.inference.concepts.get(card?.getAttribute("data-key") ?? "none") ?? null;
  }

  focus(concept: Concept): void {
    this.session.select(concept);
    this.cards.get(concept.key)?.element.focus();
  }

  /** The concepts on the screen, as they stand from the decision down. */
  inOrder(): Concept[] {
    return [...this.places.keys()].flatMap((key) => {
      const found = this.session.inference.concepts.get(key);
      return found ? [found] : [];
    });
  }

  toggle(concept: Concept): void {
    if (concept.children.length === 0) return;
    this.session.setOpen([concept], !this.session.open.has(concept.key));
  }

  private click(event: MouseEvent): void {
    const concept = this.at(event.target);
    if (!concept) return;
    this.focus(concept);
    if ((event.target as Element).closest(".hx-toggle")) this.toggle(concept);
  }

  private resized(): void {
    if (this.element.clientWidth === this.width) return;
    this.draw(false);
  }

  private forget(): void {
    for (const { element } of this.cards.values()) element.remove();
    this.cards.clear();
  }

  private rearrange(): void {
    if (this.opened === [...this.session.open].join(" ")) this.emphasise();
    else this.draw(true);
  }

  private branch(concept: Concept): Branch {
    const open = this.session.open.has(concept.key);
    const children = open ? concept.children.map((one) => this.branch(one)) : [];
    return { key: concept.key, size: 1, children };
  }

  private draw(smooth: boolean): void {
    const { inference, sets } = this.session;
    this.width = this.element.clientWidth;
    if (this.width === 0) return;
    const levels = inference.payload.levels.length;
    this.frame = frameOf(this.width, levels, sets.length);
    const { shape } = this.frame;
    for (const name of ["beside", "stacked", "outline"])
      this.plane.classList.toggle(`hx-${name}`, name === shape);
    this.plane.classList.toggle("hx-one", sets.length === 1);
    this.plane.classList.toggle("hx-tiny", this.frame.map < TINY);
    this.plane.classList.toggle("hx-smooth", smooth && !reducedMotion());
    this.opened = [...this.session.open].join(" ");
    const root = this.branch(inference.root);
    this.places = spots(root, this.frame, 0);
    this.renew();
    const height = this.measured();
    this.places = spots(root, this.frame, height);
    for (const [key, card] of this.cards) {
      card.element.style.height = `${height}px`;
      placeCard(card, this.places.get(key) as Spot);
    }
    this.plane.style.height = `${tall(this.places, height) + 8}px`;
    this.drawLinks(height);
    this.writeHeads();
    this.emphasise();
    this.paintSoon();
  }

  /** Cards of what is on the screen and of nothing else. */
  private renew(): void {
    for (const [key, card] of this.cards) {
      if (this.places.has(key)) continue;
      card.element.remove();
      this.cards.delete(key);
    }
    for (const [key, spot] of this.places) {
      const concept = this.session.inference.concepts.get(key) as Concept;
      const card = this.cards.get(key) ?? makeCard(concept);
      card.concept = concept;
      if (!this.cards.has(key)) {
        placeCard(card, spot);
        this.plane.append(card.element);
      }
      this.cards.set(key, card);
      this.write(card);
      card.element.style.height = "auto";
      card.element.style.width = `${spot.width}px`;
    }
  }

  private write(card: Card): void {
    const { shape, map } = this.frame;
    const wanted = `${shape} ${map} ${this.session.open.has(card.concept.key)}`;
    if (card.written === wanted) return;
    card.written = wanted;
    writeCard(card, this.session, this.frame);
    this.sizeCanvases(card);
    this.unpainted.add(card.concept.key);
  }

  private sizeCanvases({ element, concept }: Card): void {
    const fine = Math.min(2, window.devicePixelRatio || 1);
    for (const canvas of element.querySelectorAll("canvas")) {
      const set = this.session.sets[Number(canvas.dataset.set)];
      const [height, width] = set?.size ?? [1, 1];
      const whole = (this.frame.map * fine) / Math.max(height, width);
      canvas.width = Math.max(1, Math.round(width * whole));
      canvas.height = Math.max(1, Math.round(height * whole));
      canvas.classList.toggle("hx-image", concept.parent === null);
    }
  }

  private measured(): number {
    return Math.max(...[...this.cards.values()].map(({ element }) => element.offsetHeight));
  }

  private drawLinks(height: number): void {
    const { sets } = this.session;
    const strands = [...this.cards.values()].flatMap(({ concept }) =>
      concept.known.flatMap((part): Strand[] => {
        const from = concept.parent?.key;
        if (from === undefined) return [];
        const { set, part: size } = part;
        const explained = explainedOf(concept.parent, set) ?? 1;
        const against = part.weight < 0;
        return [{ from, to: concept.key, set, part: size, explained, against }];
      }),
    );
    const order = new Map([...this.places.keys()].map((key, i) => [key, i]));
    strands.sort((a, b) => (order.get(a.to) ?? 0) - (order.get(b.to) ?? 0) || a.set - b.set);
    const drawn = links(strands, this.places, this.frame, height, sets.length).map((link) => {
      const path = svg("path", { class: "hx-link", d: link.path, "data-to": link.to });
      path.style.strokeWidth = String(Math.round(link.width * 10) / 10);
      if (sets.length > 1 && !link.against) path.style.stroke = `var(--hx-set-${link.set})`;
      path.classList.toggle("hx-against", link.against);
      return path;
    });
    this.drawn.replaceChildren(...drawn);
  }

  private writeHeads(): void {
    const { inference } = this.session;
    const { width, gutter, shape } = this.frame;
    this.heads.hidden = shape === "outline";
    this.heads.style.height = `${HEAD}px`;
    const heads = inference.payload.levels.map((_, depth) => {
      const layer = layerName(inference.payload.layers[depth] ?? null);
      const head = h("div", {}, h("strong", {}, levelName(inference, depth)), h("span", {}, layer));
      head.style.transform = `translate(${depth * (width + gutter)}px, 0)`;
      head.style.width = `${width}px`;
      return head;
    });
    this.heads.replaceChildren(...heads);
  }

  /** Bring out the way from the decision to the current concept. */
  private emphasise(): void {
    const { selected, current } = this.session;
    const on = new Set(current.line.map((one) => one.key));
    const seen = [...selected.line].reverse().find((one) => this.cards.has(one.key));
    for (const [key, { element }] of this.cards) {
      element.classList.toggle("hx-on", on.has(key));
      element.classList.toggle("hx-current", key === current.key);
      element.classList.toggle("hx-chosen", key === selected.key);
      setAttribute(element, "aria-selected", String(key === selected.key));
      element.tabIndex = key === seen?.key ? 0 : -1;
    }
    for (const path of [...this.drawn.children]) {
      const held = on.has(path.getAttribute("data-to") ?? "");
      path.classList.toggle("hx-on", held);
      if (held) this.drawn.append(path);
    }
  }

  private paintAll(): void {
    for (const key of this.cards.keys()) this.unpainted.add(key);
    this.paintSoon();
  }

  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  /** Paint maps for a few milliseconds per frame. */
  private paint(): void {
    const { painter, sets } = this.session;
    const end = performance.now() + PAINT_BUDGET;
    for (const key of this.unpainted) {
      const card = this.cards.get(key);
      for (const canvas of card?.element.querySelectorAll("canvas") ?? []) {
        const set = Number(canvas.dataset.set);
        const part = card?.concept.parts[set];
        if (!part) continue;
        if ((sets[set]?.images ?? 0) > 0) painter.paintAlbum(canvas, set, 9);
        else painter.paint(canvas, part);
      }
      this.unpainted.delete(key);
      if (performance.now() > end) break;
    }
    if (this.unpainted.size > 0) this.paintSoon();
  }
}

const KEYS: Keys = [
  ["→", "to the strongest concept below, opening what is folded"],
  ["←", "to the concept above"],
  ["↑  ↓", "to the concept before or after in its level"],
  ["Home  End", "to the decision, to the last concept"],
  ["Enter  Space", "open or fold"],
  ["?", "show or hide these keys"],
  ["Esc", "cancel, close"],
];

/** The keyboard in the tree: one key, one act, on the card that has the focus. */
export class ConceptKeys {
  readonly sheet: KeySheet;
  private readonly acts: Acts<[Concept]>;

  constructor(
    private readonly session: Session,
    private readonly stage: Stage,
  ) {
    this.sheet = new KeySheet(KEYS, () => stage.focus(session.selected));
    this.acts = {
      ...treeActs<Concept>({
        root: () => session.inference.root,
        inOrder: () => stage.inOrder(),
        focus: (concept) => stage.focus(concept),
        inward: (concept) => this.inward(concept),
        toggle: (concept) => stage.toggle(concept),
      }),
      "?": () => this.sheet.toggle(),
      Escape: () => session.kernel.stop(),
    };
  }

  press(event: KeyboardEvent): void {
    if (modified(event)) return;
    const concept = this.stage.at(event.target);
    if (concept) press(event, this.acts, concept);
  }

  private inward(concept: Concept): void {
    const [first] = concept.children;
    if (!first) return;
    if (!this.session.open.has(concept.key)) this.stage.toggle(concept);
    this.stage.focus(first);
  }
}
