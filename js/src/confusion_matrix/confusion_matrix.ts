// Who is taken for whom: pairs in a list, a matrix of the classes confused most, a pair's channels.
import "./confusion_matrix.css";
import type { AnyModel } from "@anywidget/types";
import { choiceOf, KeySheet, type Keys, modified, take } from "../lib/controls.ts";
import { button, fill, h, setAttribute, short } from "../lib/dom.ts";
import { type Files, filesOf } from "../lib/pixels.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import { type Banner, view } from "../lib/view.ts";
import { counted } from "../lib/words.ts";
import {
  type ConfusionPayload,
  channelsOf,
  channelWords,
  countWords,
  facesOf,
  headWords,
  matrixClasses,
  namesOf,
  noChannels,
  type Order,
  ordered,
  pairAt,
  pairWords,
  question,
  sentence,
  shareOf,
} from "./confusions.ts";

interface State extends ViewState {
  confusions: ConfusionPayload;
  view: { pair?: number; order?: Order };
}

const KEYS: Keys = [
  ["↑ ↓", "to the pair before or after"],
  ["Home  End", "to the first and the last pair"],
  ["o", "by number of images, or by share of the class"],
  ["?", "show or hide these keys"],
];

class Session extends ViewSession<State, "arrangement" | "confusions"> {
  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, "", "arrangement");
    this.follow("view", () => this.tell("arrangement"));
    this.follow("confusions", () => this.tell("confusions"));
  }

  get payload(): ConfusionPayload {
    return this.model.get("confusions");
  }

  get order(): Order {
    return this.saved.order ?? "count";
  }

  get pairs(): number[] {
    return ordered(this.payload, this.order);
  }

  /** The chosen pair; -1 where there is none. */
  get pair(): number {
    const { pair } = this.saved;
    return pair !== undefined && pair < this.payload.counts.length ? pair : (this.pairs[0] ?? -1);
  }

  choose(pair: number): void {
    if (pair !== this.pair || this.saved.pair === undefined) this.arrange({ pair });
  }

  turn(): void {
    this.arrange({ order: this.order === "count" ? "share" : "count" });
  }
}

/** Pictures of files, as addresses that an image shows, let go of when the view closes. */
class Pictures {
  private readonly known = new Map<Files, string[]>();

  of(files: Files): string[] {
    const known = this.known.get(files);
    if (known) return known;
    const made = filesOf(files).map((file) => URL.createObjectURL(new Blob([file])));
    this.known.set(files, made);
    return made;
  }

  close(): void {
    for (const made of this.known.values()) for (const one of made) URL.revokeObjectURL(one);
    this.known.clear();
  }
}

class List {
  readonly element = h("div", {
    class: "hx-pairs",
    role: "listbox",
    "aria-label": "Pairs of classes",
  });
  private readonly items = new Map<number, HTMLElement>();
  private built = "";

  constructor(private readonly session: Session) {
    session.on(() => this.draw());
    this.draw();
  }

  focus(): void {
    this.items.get(this.session.pair)?.focus();
  }

  move(key: string): boolean {
    const { pairs, pair } = this.session;
    const at = pairs.indexOf(pair);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: pairs.length - 1 }[key];
    if (to === undefined) return false;
    const next = pairs[to];
    if (next !== undefined) this.session.choose(next);
    this.focus();
    return true;
  }

  private draw(): void {
    const { session } = this;
    const { payload, order } = session;
    const shape = JSON.stringify([order, payload.pairs, payload.counts]);
    if (shape !== this.built) {
      this.built = shape;
      this.items.clear();
      const [all] = payload.all;
      const more = all - payload.counts.length;
      const rest = more > 0 && h("p", { class: "hx-more" }, `${counted(more, "rarer pair")} more.`);
      fill(this.element, ...session.pairs.map((pair) => this.item(pair)), rest, this.nothing());
    }
    for (const [pair, item] of this.items) {
      setAttribute(item, "aria-selected", String(pair === session.pair));
      item.tabIndex = pair === session.pair ? 0 : -1;
    }
    this.bring();
  }

  private nothing(): HTMLElement | false {
    const words = "No image is named otherwise than it is labelled.";
    return this.items.size === 0 && h("p", { class: "hx-more" }, words);
  }

  /** The chosen pair in sight, without moving the page. */
  private bring(): void {
    const item = this.items.get(this.session.pair);
    if (!item) return;
    const { offsetTop: top, offsetHeight: tall } = item;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + tall > scrollTop + clientHeight)
      this.element.scrollTop = top + tall - clientHeight;
  }

  private item(pair: number): HTMLElement {
    const { session } = this;
    const { payload } = session;
    const [label, named] = namesOf(payload, pair);
    const bar = h("b", { class: "hx-part", "aria-hidden": "true" }, h("i", {}));
    const most = Math.max(...payload.counts);
    const part =
      session.order === "count" ? (payload.counts[pair] as number) / most : shareOf(payload, pair);
    (bar.firstChild as HTMLElement).style.width = `${100 * part}%`;
    const item = h(
      "div",
      { role: "option", class: "hx-pair", "aria-label": pairWords(payload, pair) },
      h(
        "span",
        { class: "hx-both" },
        short(label),
        h("span", { class: "hx-to" }, "→"),
        short(named),
      ),
      h("span", { class: "hx-count" }, bar, countWords(payload, pair)),
    );
    item.addEventListener("click", () => {
      session.choose(pair);
      this.focus();
    });
    this.items.set(pair, item);
    return item;
  }
}

class Matrix {
  readonly element = h("div", {
    class: "hx-matrix",
    role: "region",
    "aria-label": "Matrix",
    tabindex: 0,
  });
  private readonly cells = new Map<number, HTMLElement>();
  private built = "";

  constructor(private readonly session: Session) {
    session.on(() => this.draw());
    this.draw();
  }

  private draw(): void {
    const { payload, pair } = this.session;
    const shape = JSON.stringify([payload.pairs, payload.counts, payload.right]);
    if (shape !== this.built) {
      this.built = shape;
      this.cells.clear();
      fill(this.element, this.table(matrixClasses(payload)));
    }
    for (const [at, cell] of this.cells) cell.setAttribute("aria-pressed", String(at === pair));
  }

  private table(classes: readonly number[]): HTMLElement {
    const { payload } = this.session;
    const most = Math.max(1, ...payload.counts);
    const at = pairAt(payload);
    const heads = classes.map((one, i) =>
      h(
        "th",
        { scope: "col", title: payload.classes[one], "aria-label": payload.classes[one] },
        `${i + 1}`,
      ),
    );
    const rows = classes.map((label, i) =>
      h(
        "tr",
        {},
        h(
          "th",
          { scope: "row" },
          h("span", {}, h("b", {}, `${i + 1}`), short(payload.classes[label] as string)),
        ),
        ...classes.map((named) => this.cell(label, named, at.get(`${label} ${named}`), most)),
      ),
    );
    const head = h("tr", {}, h("th", { scope: "col" }, "labelled ↓  named →"), ...heads);
    const left = new Set(payload.pairs.flat()).size - classes.length;
    const caption =
      left > 0 ? `The ${classes.length} classes confused most; ${left} more are.` : "";
    return h(
      "table",
      {},
      h("caption", {}, caption || "The classes that are confused."),
      h("thead", {}, head),
      h("tbody", {}, ...rows),
    );
  }

  private cell(label: number, named: number, pair: number | undefined, most: number): HTMLElement {
    const { payload } = this.session;
    if (label === named) {
      const right = payload.right[label] as number;
      return h("td", { class: "hx-right", title: `${right} named rightly` }, String(right));
    }
    if (pair === undefined) return h("td", { class: "hx-zero" }, "·");
    const count = payload.counts[pair] as number;
    const press = button(String(count), () => this.session.choose(pair), {
      "aria-label": pairWords(payload, pair),
      title: pairWords(payload, pair),
    });
    press.style.setProperty("--hx-part", `${Math.round(15 + (45 * count) / most)}%`);
    this.cells.set(pair, press);
    return h("td", {}, press);
  }
}

/** The chosen pair: its images, what both classes rest on, and how to ask why. */
class Details {
  readonly element = h("section", { class: "hx-details", "aria-live": "polite" });
  private drawn = "";

  constructor(
    private readonly session: Session,
    private readonly pictures: Pictures,
  ) {
    session.on(() => this.draw());
    this.draw();
  }

  private draw(): void {
    const { payload, pair } = this.session;
    const shape = JSON.stringify([pair, payload.pairs, payload.layer]);
    if (shape === this.drawn) return;
    this.drawn = shape;
    if (pair < 0) {
      fill(this.element);
      return;
    }
    const [label, named] = namesOf(payload, pair);
    fill(
      this.element,
      h("h3", {}, `${label} → ${named}`),
      h("p", {}, sentence(payload, pair)),
      ...this.images(pair),
      h("h4", {}, payload.layer ? `Channels of ${payload.layer} that speak for both` : "Channels"),
      ...this.channels(pair),
    );
  }

  private images(pair: number): HTMLElement[] {
    const { payload } = this.session;
    const addresses = this.pictures.of(payload.pictures);
    const at = payload.pictured.flatMap((of, i) => (of === pair ? [i] : []));
    const first = at[0];
    if (first === undefined) return [];
    const figures = at.map((i) => {
      const words = `Image ${payload.places[i]} of the data`;
      return h(
        "figure",
        {},
        h("img", { src: addresses[i], alt: words }),
        h("figcaption", {}, `#${payload.places[i]}`),
      );
    });
    const code = question(payload, pair, payload.places[first] as number);
    return [
      h("div", { class: "hx-images" }, ...figures),
      h("p", { class: "hx-why-so" }, "Why? ", h("code", {}, code)),
    ];
  }

  private channels(pair: number): HTMLElement[] {
    const { payload } = this.session;
    const rows = channelsOf(payload, pair);
    if (rows.length === 0) return [h("p", { class: "hx-more" }, noChannels(payload, pair))];
    const addresses = this.pictures.of(payload.faces);
    const faces = facesOf(payload);
    const items = rows.map((row) => {
      const [start, end] = faces.get(row[1]) ?? [0, 0];
      const images = addresses
        .slice(start, end)
        .map((src) => h("img", { src, alt: "", "aria-hidden": "true" }));
      return h("li", {}, h("span", { class: "hx-faces" }, ...images), channelWords(payload, row));
    });
    return [h("ol", { class: "hx-channels" }, ...items)];
  }
}

function header(session: Session, keys: KeySheet): HTMLElement {
  const title = h("h2", { class: "hx-title" });
  const order = choiceOf<Order>(
    "Order of the pairs",
    [
      ["count", "By images"],
      ["share", "By share of the class"],
    ],
    (value) => session.arrange({ order: value }),
  );
  const update = () => {
    fill(title, h("b", {}, "Who is taken for whom?"), h("small", {}, headWords(session.payload)));
    order.element.hidden = session.payload.counts.length < 2;
    order.show(session.order);
  };
  session.on(update);
  update();
  return h(
    "header",
    { class: "hx-header" },
    title,
    h("div", { class: "hx-tools" }, order.element, keys.hint),
  );
}

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const [pictures, list] = [new Pictures(), new List(session)];
  const keys = new KeySheet(KEYS, () => list.focus());
  const right = h(
    "div",
    { class: "hx-beside" },
    new Matrix(session).element,
    new Details(session, pictures).element,
  );
  const notes = h("footer", { class: "hx-notes" });
  const write = () => fill(notes, ...session.payload.notes.map((note) => h("p", {}, note)));
  session.on(write);
  write();
  root.append(
    header(session, keys),
    h("div", { class: "hx-body" }, list.element, right, keys.element),
    notes,
  );
  root.addEventListener("keydown", (event) => {
    if (modified(event)) return;
    if (acted(event, session, list, keys)) take(event);
  });
  return () => {
    for (const part of [pictures, session]) part.close();
    root.remove();
  };
}

function acted(
  { key, target }: KeyboardEvent,
  session: Session,
  list: List,
  keys: KeySheet,
): boolean {
  if (key === "?") keys.toggle();
  else if (key === "o") session.turn();
  else return list.element.contains(target as Node) && list.move(key);
  return true;
}

export default view("confusion_matrix", "hx-confusions", build);
