// The images side by side, and what the explainer's maker noted.
import { fill, h } from "../lib/dom.ts";
import { Card } from "./card.ts";
import type { Session } from "./session.ts";

const EMPTY_LIVE = "No image yet: add one here, or with report.add(image) in a cell.";
const EMPTY_SAVED = "There is no image in this report.";

export class Cards {
  readonly element = h("div", { class: "hx-body" });
  private cards: Card[] = [];

  constructor(private readonly session: Session) {
    session.on((change) => {
      if (change === "report") this.draw();
      for (const card of this.cards) {
        if (change === "view") card.draw();
        else if (change === "look") card.look();
        else if (change === "pixels") card.pixels();
      }
    });
    this.draw();
  }

  close(): void {
    for (const card of this.cards) card.close();
    this.cards = [];
  }

  private draw(): void {
    const { session } = this;
    this.close();
    this.cards = session.cards.map(
      (_, i) => new Card(session, i, (by) => this.cards[i + by]?.chart?.focus(session.current)),
    );
    const { notes } = session.report;
    const empty = h("p", { class: "hx-empty" }, session.live ? EMPTY_LIVE : EMPTY_SAVED);
    const alone = this.cards.length === 1 ? " hx-alone" : "";
    fill(
      this.element,
      this.cards.length === 0 && empty,
      h("div", { class: `hx-cards${alone}` }, ...this.cards.map(({ element }) => element)),
      ...notes.map((note) => h("p", { class: "hx-notes" }, note)),
    );
  }
}
