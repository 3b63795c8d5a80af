// The figures of one image: bars and pie, and how its elements' contributions are distributed.
import { h } from "../lib/dom.ts";
import { Figure } from "../lib/figure.ts";
import { number } from "../lib/words.ts";
import { walk } from "./keys.ts";
import { type Row, Rows } from "./rows.ts";
import { placeIn, type Session, type Spot } from "./session.ts";
import { signed } from "./words.ts";

const FOR = "#d9622b";
const AGAINST = "#2f7fc4";
const REST = "#8a8f98";
const SLICES = ["#e69f00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a82a"];
const FAINT = 0.3;
const ROW = 26;
const NAME = 18;

export interface Chart {
  readonly element: HTMLElement;
  look(): void;
  focus(spot: Spot | null): void;
  close(): void;
}

/** A figure that cannot be drawn is said once; the numbers are in the table all the same. */
function drawn(session: Session, figure: Figure, reference: string | undefined, then: () => void) {
  const missing = new Error("the figure did not come with the report");
  const loading = reference ? figure.load(session.model, reference) : Promise.reject(missing);
  loading.then(
    () => session.guard(then),
    (error) =>
      session.complain(
        `A chart cannot be drawn: ${error instanceof Error ? error.message : error}. ` +
          "A page that shows Jupyter's widgets was expected; the waterfall and the table are " +
          "drawn without.",
      ),
  );
}

/** Follow the pointer over a figure's pieces, which stand in the order of `spots`. */
function follow(session: Session, element: HTMLElement, piece: string, spots: () => Spot[]) {
  const at = (event: Event) => {
    const one = (event.target as Element).closest(piece);
    return one ? spots()[[...element.querySelectorAll(piece)].indexOf(one)] : undefined;
  };
  element.addEventListener("pointerover", (event) => session.hover(at(event) ?? null));
  element.addEventListener("pointerleave", () => session.hover(null));
  element.addEventListener("click", (event) => {
    const spot = at(event);
    if (spot !== undefined) session.choose(spot);
  });
}

export class Bars implements Chart {
  readonly element = h("div", { class: "hx-bars-chart", tabindex: 0, role: "img" });
  private readonly figure = new Figure();
  private readonly spots: Spot[];

  constructor(
    private readonly session: Session,
    private readonly image: number,
    across: (by: number) => void,
  ) {
    const { names } = session.report;
    const alone = names.slice(0, session.shown).map((_, i) => `concept ${i}`);
    const folded = session.shown < names.length ? ["others"] : [];
    this.spots = [...alone, ...folded, "bias", "unexplained"];
    this.element.append(this.figure.element);
    this.figure.element.style.height = `${50 + ROW * this.spots.length}px`;
    this.element.setAttribute("aria-label", this.words());
    follow(session, this.element, ".bargroup", () => this.spots);
    this.element.addEventListener("keydown", (event) =>
      walk(session, event, this.spots, (spot) => session.hover(spot), across),
    );
    this.element.addEventListener("focusout", () => session.hover(null));
    drawn(session, this.figure, session.model.get("bars")[image], () => this.fill());
  }

  focus(spot: Spot | null): void {
    this.element.focus();
    this.session.hover(spot);
  }

  look(): void {
    const { current } = this.session;
    const faint = current !== null && this.spots.includes(current);
    this.figure.marks[0]?.set({
      opacities: this.spots.map((spot) => (faint && spot !== current ? FAINT : 1)),
    });
  }

  close(): void {
    this.figure.close();
  }

  private get card() {
    return this.session.cards[this.image];
  }

  private words(): string {
    const { session, card } = this;
    if (!card) return "";
    const each = this.spots.map((s) => `${session.nameOf(s)} ${signed(session.amount(card, s))}`);
    return `Bars of image ${this.image + 1}, in logits: ${each.join(", ")}`;
  }

  // folding is the view's own: the figure from the kernel has the small ones folded
  private fill(): void {
    const { session, card } = this;
    const [mark] = this.figure.marks;
    if (!mark || !card) return;
    const names = this.spots.map((spot, i) => cut(session.nameOf(spot), i));
    const values = this.spots.map((spot) => session.amount(card, spot));
    const scales = mark.get("scales") as { x: { set(values: object): void } };
    scales.x.set({ domain: [...names].reverse() });
    mark.set({
      x: names,
      y: Float64Array.from(values),
      colors: this.spots.map((spot, i) => colour(spot, values[i] ?? 0)),
    });
    this.look();
  }
}

function cut(name: string, place: number): string {
  return name.length <= NAME ? name : `${name.slice(0, NAME - 4)}…${place + 1}`;
}

function colour(spot: Spot, value: number): string {
  if (spot === "bias" || spot === "unexplained") return REST;
  return value < 0 ? AGAINST : FOR;
}

export class Pie implements Chart {
  readonly element = h("div", { class: "hx-pie" });
  private readonly figure = new Figure();
  private readonly rows: Rows;
  private readonly spots: Spot[];

  constructor(
    private readonly session: Session,
    image: number,
    across: (by: number) => void,
  ) {
    const { slices = [], beside = [] } = session.cards[image] ?? {};
    this.spots = slices.map(([place]) => this.spot(place));
    this.rows = new Rows(session, image, "hx-slices", this.names(image), across);
    follow(session, this.figure.element, ".slice", () => this.spots);
    this.figure.element.setAttribute("aria-hidden", "true");
    const none = h("p", { class: "hx-soft" }, "No concept adds to this score.");
    this.element.append(
      slices.length > 0 ? this.figure.element : none,
      this.rows.element,
      h("p", { class: "hx-beside" }, `Not in the pie: ${beside.join("; ")}`),
    );
    if (slices.length > 0)
      drawn(session, this.figure, session.model.get("pies")[image], () => this.look());
  }

  focus(spot: Spot | null): void {
    this.rows.focus(spot);
  }

  look(): void {
    const { current } = this.session;
    const faint = current !== null && this.spots.includes(current);
    this.rows.look();
    this.figure.marks[0]?.set({
      opacities: this.spots.map((spot) => (faint && spot !== current ? FAINT : 1)),
    });
  }

  close(): void {
    this.figure.close();
  }

  private spot(place: number): Spot {
    return place < this.session.report.shown ? `concept ${place}` : "others";
  }

  private names(image: number): Row[] {
    const { session } = this;
    const slices = session.cards[image]?.slices ?? [];
    return this.spots.map((spot, i) => {
      const place = placeIn(spot);
      const mark = h("i", { class: "hx-swatch", "aria-hidden": "true" });
      mark.style.background = place === null ? REST : (SLICES[place % SLICES.length] ?? REST);
      return { spot, value: slices[i]?.[1] ?? 0, mark };
    });
  }
}

/** Sorted contributions of all elements, with the prior and without (Fig. 7 of the paper). */
export class Spread {
  readonly element: HTMLElement;
  private readonly figure = new Figure();

  constructor(session: Session, image: number) {
    const before = session.cards.slice(0, image).filter(({ baseline }) => baseline).length;
    const words = session.cards[image]?.entropies ?? "";
    const key = (kind: string, name: string) =>
      h("span", {}, h("i", { class: `hx-swatch ${kind}`, "aria-hidden": "true" }), name);
    this.figure.element.setAttribute("role", "img");
    this.figure.element.setAttribute("aria-label", `Sorted absolute contributions. ${words}`);
    this.element = h(
      "section",
      { class: "hx-spread", "aria-label": "Against plain distillation" },
      h(
        "h4",
        {},
        `Size of each ${ELEMENT[session.report.kind] ?? "element"}'s contribution, in logits`,
      ),
      h(
        "div",
        { class: "hx-keys" },
        key("hx-ours", "with the prior"),
        key("hx-plain", "plain distillation"),
      ),
      this.figure.element,
      h("p", { class: "hx-soft" }, words),
    );
    drawn(session, this.figure, session.model.get("spreads")[before], () => {});
  }

  close(): void {
    this.figure.close();
  }
}

const ELEMENT: Record<string, string> = { filters: "filter", heads: "head" };

/** How a value looks at hand: its name, its logits, and how strong its map is. */
export function caption(session: Session, image: number): string {
  const { current } = session;
  const card = session.cards[image];
  if (current === null || !card) return "";
  const said = `${session.nameOf(current)} ${signed(session.amount(card, current))} logits`;
  const place = placeIn(current);
  const from = place === null ? "" : ` from ${card.elements[place] ?? ""}`;
  const made = current === "others" && card.folded ? `: ${card.folded}` : "";
  if (session.map(image, current)) return `${said}${from}${made}`;
  return current === "score" ? said : `${said}, at no place`;
}

export function scaleWords(session: Session): string {
  return session.current === null ? "" : number(session.strongest(session.current));
}
