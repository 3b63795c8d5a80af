// The filters as cards, of which only those in sight exist.

import { fill, h, short } from "../lib/dom.ts";
import { CARD, inSight, moved, placeOf, type Shape, scrolledTo, shapeOf } from "./filter_grid.ts";
import { type Painter, sized } from "./painter.ts";
import type { Session } from "./session.ts";
import { answer, spoken } from "./words.ts";

const SEAM = 2; // pixels between the images of a card
const FRAME = 12; // pixels of its border and padding, both sides

interface Card {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly name: HTMLElement;
  width: number;
}

export class Grid {
  readonly element = h("div", {
    class: "hx-filters",
    role: "listbox",
    "aria-label": "Filters",
  });
  private readonly room = h("div", { class: "hx-filters-room" });
  private readonly nothing = h("p", { class: "hx-nothing", hidden: true });
  private readonly cards = new Map<number, Card>();
  private readonly watch: ResizeObserver;
  private shape: Shape = shapeOf(0, 1);

  constructor(
    private readonly session: Session,
    private readonly painter: Painter,
  ) {
    this.element.append(this.room, this.nothing);
    this.element.addEventListener("scroll", () => this.place(), { passive: true });
    this.element.addEventListener("click", (event) => this.pick(event));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.element);
    session.on((change) => {
      if (change === "busy") return;
      if (change === "pixels") this.clear();
      this.draw();
      if (change === "choice" || change === "order") this.bring();
    });
    this.draw();
  }

  close(): void {
    this.watch.disconnect();
    this.clear();
  }

  /** Move to another card; false where the key leads to none. */
  move(key: string): boolean {
    const { order, at } = this.session;
    const row = this.shape.tall + CARD.gap;
    const page = Math.max(1, Math.floor(this.element.clientHeight / row));
    const next = moved(order.indexOf(at), key, order.length, this.shape.columns, page);
    if (next === null) return false;
    this.session.choose(order[next] as number);
    this.focus();
    return true;
  }

  focus(): void {
    this.bring();
    this.draw();
    this.cards.get(this.session.at)?.element.focus({ preventScroll: true });
  }

  /** Scroll so that the chosen card is in sight. */
  private bring(): void {
    const i = this.session.order.indexOf(this.session.at);
    if (i < 0) return;
    const { scrollTop, clientHeight } = this.element;
    this.element.scrollTop = scrolledTo(i, this.shape, scrollTop, clientHeight);
  }

  private draw(): void {
    const { order } = this.session;
    this.shape = shapeOf(order.length, this.room.clientWidth);
    this.room.style.height = `${this.shape.height}px`;
    this.nothing.hidden = order.length > 0;
    this.nothing.textContent = emptyWords(this.session);
    this.place();
  }

  /** Make the cards in sight, and let go of the others. */
  private place(): void {
    const { order } = this.session;
    const { scrollTop, clientHeight } = this.element;
    const [first, last] = inSight(order.length, this.shape, scrollTop, clientHeight);
    const wanted = order.slice(first, last);
    const kept = new Set(wanted);
    const focused = this.element.contains(document.activeElement);
    for (const [filter, card] of this.cards) if (!kept.has(filter)) this.drop(filter, card);
    wanted.forEach((filter, i) => {
      this.show(filter, first + i);
    });
    this.inOrder(wanted);
    if (focused && !this.element.contains(document.activeElement))
      this.cards.get(this.session.at)?.element.focus({ preventScroll: true });
  }

  /** Read aloud and walked through as they are seen. */
  private inOrder(filters: readonly number[]): void {
    let next: Element | null = null;
    for (const filter of [...filters].reverse()) {
      const element = this.cards.get(filter)?.element as HTMLElement;
      if (element.nextElementSibling !== next) this.room.insertBefore(element, next);
      next = element;
    }
  }

  private drop(filter: number, card: Card): void {
    card.element.remove();
    this.cards.delete(filter);
  }

  private clear(): void {
    for (const [filter, card] of this.cards) this.drop(filter, card);
  }

  private show(filter: number, i: number): void {
    const card = this.cards.get(filter) ?? this.made(filter);
    const { x, y } = placeOf(i, this.shape);
    const { element } = card;
    element.style.translate = `${x}px ${y}px`;
    element.style.width = `${this.shape.width}px`;
    element.style.height = `${this.shape.tall}px`;
    const chosen = filter === this.session.at;
    element.tabIndex = chosen ? 0 : -1;
    element.setAttribute("aria-selected", String(chosen));
    element.setAttribute("aria-posinset", String(i + 1));
    element.setAttribute("aria-setsize", String(this.session.order.length));
    this.write(filter, card);
    if (card.width !== this.shape.width) {
      card.width = this.shape.width;
      void this.paint(filter, card).catch((error) => this.session.complain(error));
    }
  }

  private made(filter: number): Card {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const name = h("span", { class: "hx-filter-name" });
    const foot = h("div", { class: "hx-filter-foot" }, h("b", {}, `#${filter}`), name);
    const element = h(
      "div",
      { class: "hx-filter", role: "option", "data-filter": filter, tabindex: -1 },
      canvas,
      foot,
    );
    const card: Card = { element, canvas, name, width: 0 };
    this.cards.set(filter, card);
    this.room.append(element);
    return card;
  }

  private write(filter: number, { element, name }: Card): void {
    const { sheet, names } = this.session;
    const { words, kind } = answer(sheet, names, filter);
    element.dataset.kind = kind;
    element.setAttribute("aria-label", spoken(sheet, names, filter));
    if (name.textContent !== words) fill(name, short(words));
    element.title = words;
  }

  private async paint(filter: number, card: Card): Promise<void> {
    const { canvas } = card;
    const side = (card.width - FRAME - SEAM) / 2;
    const finer = sized(canvas, 2 * side + SEAM, 2 * side + SEAM);
    const context = canvas.getContext("2d");
    if (!context) return;
    const stale = () => this.cards.get(filter) !== card;
    const step = (side + SEAM) * finer;
    await Promise.all(
      [0, 1, 2, 3].map((i) =>
        this.painter.paint(
          context,
          filter,
          i,
          [(i % 2) * step, Math.floor(i / 2) * step, side * finer],
          stale,
        ),
      ),
    );
  }

  private pick(event: Event): void {
    const card = (event.target as Element).closest<HTMLElement>("[data-filter]");
    if (!card) return;
    this.session.choose(Number(card.dataset.filter));
    this.focus();
  }
}

function emptyWords({ show, sheet }: Session): string {
  if (sheet.shown.length === 0) return "The layer has no filter.";
  if (show === "suggested") return "No filter without a name has a suggestion.";
  if (show === "unnamed") return "Every filter has its answer.";
  return "No filter is of this kind.";
}
