// One image: its picture with the map of what is looked at, its score, its chart.
import { button, fill, h } from "../lib/dom.ts";
import { faithLine } from "../lib/faith.ts";
import { percent } from "../lib/words.ts";
import { Attention } from "./attention.ts";
import { Bars, type Chart, caption, Pie, Spread, scaleWords } from "./charts.ts";
import { drawScale, paintPicture } from "./painting.ts";
import { axis, Rows, waterfall } from "./rows.ts";
import type { Session } from "./session.ts";
import { exact, signed } from "./words.ts";

export class Card {
  readonly element: HTMLElement;
  chart: Chart | null = null;
  private readonly canvas = h("canvas", { role: "img" });
  private readonly caption = h("p", { class: "hx-caption", "aria-live": "polite" });
  private readonly scale = h("div", { class: "hx-map-scale" });
  private readonly place = h("div", { class: "hx-chart" });
  private readonly below = h("div", { class: "hx-below" });
  private readonly attention: Attention;
  private spread: Spread | null = null;

  constructor(
    private readonly session: Session,
    private readonly image: number,
    private readonly across: (by: number) => void,
  ) {
    this.attention = new Attention(session, image);
    this.element = h(
      "article",
      { class: "hx-card", "aria-label": `Image ${image + 1}` },
      h(
        "div",
        { class: "hx-picture" },
        h("div", {}, this.canvas, this.scale, this.caption),
        this.attention.element,
      ),
      this.facts(),
      h("div", { class: "hx-told" }, this.place, this.below),
    );
    this.draw();
  }

  /** Draw the chart that is chosen, and the comparison where it is wished. */
  draw(): void {
    const { session, image } = this;
    const inside = this.element.contains(document.activeElement);
    const { current } = session;
    this.chart?.close();
    this.spread?.close();
    this.chart = this.made();
    fill(this.place, this.chart.element, session.chart === "waterfall" && axis(session.domain));
    const compare = session.saved.compare && session.cards[image]?.baseline;
    this.spread = compare ? new Spread(session, image) : null;
    fill(this.below, this.spread?.element);
    this.element.classList.toggle("hx-attentive", session.saved.attention ?? false);
    this.attention.draw();
    if (inside && !this.element.contains(document.activeElement)) this.chart.focus(current);
    this.look();
  }

  look(): void {
    this.chart?.look();
    this.paint();
  }

  paint(): void {
    const { session, image, canvas } = this;
    const spot = session.current;
    const map = session.map(image, spot);
    const words = caption(session, image);
    this.caption.textContent = words || "Point at a row to see where it arises.";
    this.caption.classList.toggle("hx-soft", !words);
    canvas.setAttribute(
      "aria-label",
      map ? `Map over image ${image + 1}: ${words}` : `Image ${image + 1}`,
    );
    this.scale.classList.toggle("hx-away", map === null);
    drawScale(this.scale, -1, map ? scaleWords(session) : "");
    const strongest = spot === null ? 1 : session.strongest(spot);
    paintPicture(canvas, session.pictures[image], map, strongest);
  }

  /** Paint what does not follow the pointer, too. */
  pixels(): void {
    this.paint();
    this.attention.draw();
  }

  close(): void {
    this.chart?.close();
    this.spread?.close();
  }

  private made(): Chart {
    const { session, image, across } = this;
    if (session.chart === "bars") return new Bars(session, image, across);
    if (session.chart === "pie") return new Pie(session, image, across);
    const card = session.cards[image];
    const rows = new Rows(
      session,
      image,
      "hx-waterfall",
      card ? waterfall(session, session.steps(card)) : [],
      across,
    );
    return {
      element: rows.element,
      look: () => rows.look(),
      focus: (spot) => rows.focus(spot),
      close: () => {},
    };
  }

  private facts(): HTMLElement {
    const { session, image } = this;
    const card = session.cards[image];
    const likely = card?.probability;
    const remove = button("×", () => void session.ask("remove", { place: image }), {
      class: "hx-remove",
      "aria-label": `Remove image ${image + 1}`,
      title: "Remove this image",
    });
    return h(
      "div",
      { class: "hx-facts" },
      h(
        "p",
        { class: "hx-score", title: card && `${exact(card.score)} logits` },
        h("b", {}, card ? signed(card.score) : ""),
        h("span", {}, " logits"),
      ),
      h(
        "p",
        { class: "hx-soft" },
        `score of ${session.report.target}`,
        typeof likely === "number" ? `, probability ${percent(likely)}` : null,
      ),
      h("p", {}, card?.explained),
      card?.check && faithLine(card.check, { advice: "these contributions" }),
      card?.warning ? h("p", { class: "hx-doubt" }, h("b", {}, "⚑ "), card.warning) : null,
      ...(card?.notes ?? []).map((note) => h("p", { class: "hx-soft" }, note)),
      session.live && remove,
    );
  }
}
