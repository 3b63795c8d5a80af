// The images side by side, each with the map of what is looked at, Grad-CAM of its score (Fig. 5 of
// the paper), its score and its chart; and what the explainer's maker noted.

import { faithLine } from "../lib/checks.ts";
import { ramp, type Tick } from "../lib/colours.ts";
import { button, fill, h } from "../lib/dom.ts";
import { coloured, paintOver, scaled } from "../lib/heat.ts";
import type { Grid } from "../lib/pixels.ts";
import { number, percent } from "../lib/words.ts";
import { Bars, type Chart, caption, Pie, Spread, scaleWords } from "./charts.ts";
import type { Card as Explained } from "./payload.ts";
import { axis, Rows, waterfall } from "./rows.ts";
import type { Picture, Session } from "./session.ts";
import { exact, signed } from "./words.ts";

const SIDE = 480; // pixels of the canvas
const OPACITY = 0.9;

/** Paint an image, pale under its map; without a map as it is. */
function paintPicture(
  canvas: HTMLCanvasElement,
  picture: Picture | undefined,
  map: Grid | null,
  strongest: number,
): void {
  if (!picture) return;
  Object.assign(canvas, scaled(picture.image, SIDE));
  if (map) paintOver(canvas, picture.pale, coloured(map, strongest), OPACITY);
  else paintOver(canvas, picture.image, null, OPACITY);
}

/** Colours from `low` (-1, or 0 for maps without a sign) to 1, and the value `most` at their end. */
function drawScale(element: HTMLElement, low: -1 | 0, most: string): void {
  if (element.dataset.most === most) return;
  element.dataset.most = most;
  const zero: Tick[] = low ? [[50, "0"]] : [];
  fill(element, ...ramp(low, 1, [[0, low && most ? `−${most}` : "0"], ...zero, [100, most]]));
}

/** Grad-CAM of an image's score, beside the maps of its concepts (Fig. 5 of the paper). */
class Attention {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { role: "img" });
  private readonly scale = h("div", { class: "hx-map-scale" });

  constructor(
    private readonly session: Session,
    private readonly image: number,
  ) {
    const words = session.cards[image]?.attention ?? "";
    const found = session.attention(image) !== null;
    this.canvas.setAttribute("aria-label", `Grad-CAM over image ${image + 1}: ${words}`);
    this.element = h(
      "figure",
      { class: "hx-attention" },
      found && this.canvas,
      found && this.scale,
      h("figcaption", { "aria-hidden": String(found) }, h("b", {}, "Grad-CAM."), ` ${words}`),
    );
  }

  /** Show or hide it, as it is wished. */
  draw(): void {
    const { session, image, canvas, scale } = this;
    this.element.hidden = !session.saved.attention;
    const map = session.attention(image);
    if (this.element.hidden || !map) return;
    paintPicture(canvas, session.pictures[image], map, session.mostAttention);
    drawScale(scale, 0, number(session.mostAttention));
  }
}

/** One image: its picture with the map of what is looked at, its score, its chart. */
class Card {
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

  private faith({ check, total }: Explained): HTMLElement {
    const { words } = this.session;
    const wording = {
      what: "the order of these concepts",
      whole: "the score's range",
      total: total ?? null,
    };
    return faithLine(words, check ?? null, wording, words.needs.parts);
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
      card && this.faith(card),
      h("p", {}, card?.explained),
      card?.warning ? h("p", { class: "hx-doubt" }, h("b", {}, "⚑ "), card.warning) : null,
      ...(card?.notes ?? []).map((note) => h("p", { class: "hx-soft" }, note)),
      session.live && remove,
    );
  }
}

const EMPTY_LIVE = "No image yet: add one here, or with report.add(image) in a cell.";
const EMPTY_SAVED = "There is no image in this report.";

/** The images side by side, and what the explainer's maker noted. */
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
