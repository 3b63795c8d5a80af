// Many images of one class in a plain grid, each with its map over it.
import "./contact_sheet.css";
import type { AnyModel } from "@anywidget/types";
import { ramp } from "../lib/colours.ts";
import { choiceOf, KeySheet, type Keys, modified, take } from "../lib/controls.ts";
import { fill, h, setAttribute, short } from "../lib/dom.ts";
import { coloured, paintOver, pale } from "../lib/heat.ts";
import { bitmapOf, decodeMaps, filesOf, type Grid } from "../lib/pixels.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import { type Banner, view } from "../lib/view.ts";
import { number } from "../lib/words.ts";
import {
  type ContactPayload,
  countWords,
  facts,
  namedSo,
  namedWords,
  type Show,
  shownOf,
  stepped,
  strongestOf,
  weaknessOf,
} from "./contact.ts";
import { aboutMethod, contestWords } from "./words.ts";

interface Saved {
  show?: Show;
  scale?: "map" | "all";
  size?: number;
  at?: number;
}

interface State extends ViewState {
  sheet: ContactPayload;
  view: Saved;
}

const SIZE = { least: 72, most: 320, first: 132 };
const OPACITY = 0.9;
const KEYS: Keys = [
  ["← → ↑ ↓", "to the image beside, above or below"],
  ["Home  End", "to the first and the last image"],
  ["c", "another colour scale"],
  ["o", "all images, those named so, those named otherwise"],
  ["+  −", "larger and smaller images"],
  ["?", "show or hide these keys"],
];
const SHOWS: readonly (readonly [Show, string])[] = [
  ["all", "All"],
  ["so", "Named so"],
  ["otherwise", "Named otherwise"],
];

class Session extends ViewSession<State, "arrangement" | "sheet"> {
  maps: Grid[] = [];

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, "", "arrangement");
    this.maps = decodeMaps(this.sheet);
    this.follow("view", () => this.tell("arrangement"));
    this.follow("sheet", () => {
      this.maps = decodeMaps(this.sheet);
      this.tell("sheet");
    });
  }

  get sheet(): ContactPayload {
    return this.model.get("sheet");
  }

  get show(): Show {
    return this.saved.show ?? "all";
  }

  get own(): boolean {
    return (this.saved.scale ?? "map") === "map";
  }

  get size(): number {
    return this.saved.size ?? SIZE.first;
  }

  get shown(): number[] {
    return shownOf(this.sheet, this.show);
  }

  /** The image looked at. */
  get at(): number {
    const { shown } = this;
    const at = this.saved.at ?? -1;
    return shown.includes(at) ? at : (shown[0] ?? -1);
  }

  weakness(i: number): string {
    return this.own ? weaknessOf(this.words, this.sheet, i, this.shown) : "";
  }

  resize(by: number): void {
    this.arrange({ size: Math.min(SIZE.most, Math.max(SIZE.least, Math.round(this.size * by))) });
  }
}

interface Tile {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
}

class Contacts {
  readonly element = h("div", { class: "hx-contacts", role: "listbox" });
  private readonly tiles = new Map<number, Tile>();
  private pictures: (HTMLCanvasElement | null)[] = [];
  private built = "";
  private painting = 0;
  private readonly resized = new ResizeObserver(() => this.paintSoon());

  constructor(private readonly session: Session) {
    session.on((change) => {
      if (change === "sheet") {
        this.built = "";
        void this.load();
      }
      this.draw();
    });
    this.resized.observe(this.element);
    this.draw();
    void this.load();
  }

  close(): void {
    this.resized.disconnect();
    cancelAnimationFrame(this.painting);
  }

  focus(): void {
    this.tiles.get(this.session.at)?.element.focus();
  }

  /** Go where a key leads; whether the key meant that. */
  move(key: string): boolean {
    const { shown, at } = this.session;
    const to = stepped(shown.indexOf(at), key, shown.length, this.columns());
    if (to === null) return false;
    this.session.arrange({ at: shown[to] as number });
    this.focus();
    return true;
  }

  private columns(): number {
    const tops = this.session.shown.map((i) => this.tiles.get(i)?.element.offsetTop);
    const first = tops.findIndex((top) => top !== tops[0]);
    return first < 0 ? Math.max(1, tops.length) : first;
  }

  private async load(): Promise<void> {
    const { sheet } = this.session;
    this.pictures = [];
    const read = filesOf(sheet.pictures).map(async (file, i) => {
      this.pictures[i] = pale(await bitmapOf(file));
    });
    await Promise.all(read).catch((error) => this.session.complain(error));
    this.paintSoon();
  }

  private draw(): void {
    const { session } = this;
    const { shown, sheet } = session;
    if (session.show !== this.built) {
      this.built = session.show;
      this.tiles.clear();
      fill(this.element, ...shown.map((i) => this.tile(i)), shown.length === 0 && nothing(session));
    }
    this.element.setAttribute("aria-label", `Maps of ${sheet.target}`);
    this.element.style.setProperty("--hx-side", `${session.size}px`);
    for (const [i, tile] of this.tiles) this.mark(i, tile);
    this.paintSoon();
  }

  private tile(i: number): HTMLElement {
    const { session } = this;
    const canvas = h("canvas", { "aria-hidden": "true" });
    const [height, width] = session.sheet.sizes[i] as [number, number];
    canvas.style.aspectRatio = `${width} / ${height}`;
    const named = namedWords(session.sheet, i);
    const element = h(
      "div",
      { class: "hx-contact", role: "option" },
      h("div", { class: "hx-contact-frame" }, canvas),
      named !== "" && h("div", { class: "hx-named" }, short(named)),
      h("div", { class: "hx-weak" }),
    );
    element.classList.toggle("hx-otherwise", !namedSo(session.sheet, i));
    element.addEventListener("focus", () => this.look(i));
    element.addEventListener("click", () => element.focus());
    this.tiles.set(i, { element, canvas });
    return element;
  }

  private look(i: number): void {
    if (i !== this.session.at || this.session.saved.at === undefined)
      this.session.arrange({ at: i });
  }

  private mark(i: number, { element }: Tile): void {
    const { session } = this;
    const weak = session.weakness(i);
    const words = facts(session.sheet, i, weak);
    setAttribute(element, "aria-label", words);
    setAttribute(element, "title", words);
    setAttribute(element, "aria-selected", String(i === session.at));
    element.tabIndex = i === session.at ? 0 : -1;
    const line = element.querySelector(".hx-weak") as HTMLElement;
    if (line.textContent !== weak) line.textContent = weak;
  }

  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private paint(): void {
    const { sheet, shown, own, maps } = this.session;
    for (const [i, { canvas }] of this.tiles) {
      const picture = this.pictures[i];
      const width = Math.round(canvas.clientWidth * devicePixelRatio);
      const height = Math.round(canvas.clientHeight * devicePixelRatio);
      if (!picture || width === 0) continue;
      Object.assign(canvas, { width, height });
      const heat = coloured(maps[i] as Grid, strongestOf(sheet, i, shown, own), false);
      paintOver(canvas, picture, heat, OPACITY);
    }
  }
}

function nothing({ show }: Session): HTMLElement {
  const words = show === "so" ? "No image is named so." : "Every image is named so.";
  return h("p", { class: "hx-none" }, words);
}

function header(session: Session, keys: KeySheet): HTMLElement {
  const title = h("h2", { class: "hx-title" });
  const show = choiceOf("Images", SHOWS, (value) => session.arrange({ show: value }));
  const scale = choiceOf(
    "Colour scale",
    [
      ["map", "Each map"],
      ["all", "All maps"],
    ],
    (value) => session.arrange({ scale: value as "map" | "all" }),
  );
  const size = h("input", {
    type: "range",
    min: SIZE.least,
    max: SIZE.most,
    "aria-label": "Size of the images",
  });
  size.addEventListener("input", () => session.arrange({ size: Number(size.value) }));
  const update = () => {
    const { sheet } = session;
    fill(
      title,
      h("span", { class: "hx-why" }, "Where is "),
      h("b", {}, sheet.target),
      h("span", { class: "hx-why" }, "?"),
      h("small", {}, countWords(sheet)),
    );
    const some = shownOf(sheet, "otherwise").length;
    show.element.hidden = some === 0 || some === sheet.places.length;
    show.show(session.show);
    scale.show(session.own ? "map" : "all");
    size.value = String(session.size);
  };
  session.on(update);
  update();
  const controls = h(
    "div",
    { class: "hx-controls", role: "toolbar", "aria-label": "How the maps are drawn" },
    show.element,
    scale.element,
    h("label", {}, h("span", {}, "Size"), size),
    keys.hint,
  );
  return h("header", { class: "hx-header" }, title, controls);
}

function foot(session: Session): HTMLElement {
  const words = h("p", { class: "hx-readout", role: "status" });
  const legend = h("div", { class: "hx-legend" });
  const notes = h("div", { class: "hx-notes" });
  const update = () => {
    const { sheet, at, own, shown } = session;
    words.textContent = at < 0 ? "" : facts(sheet, at, session.weakness(at));
    const high = own ? "largest of each map" : number(strongestOf(sheet, at, shown, false));
    fill(
      legend,
      ...ramp(0, 1, [
        [0, "0"],
        [100, high],
      ]),
    );
    const contest = typeof sheet.rivals !== "number" ? "" : ` ${contestWords(sheet.rivals)}`;
    const about = `${sheet.method} at ${sheet.layer}. ${aboutMethod(sheet.method)}${contest}`;
    const method = h("p", {}, about);
    fill(notes, method, ...sheet.notes.map((note) => h("p", {}, note)));
  };
  session.on(update);
  update();
  return h(
    "footer",
    { class: "hx-foot" },
    h("div", { class: "hx-foot-line" }, words, legend),
    notes,
  );
}

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const contacts = new Contacts(session);
  const keys = new KeySheet(KEYS, () => contacts.focus());
  const body = h("div", { class: "hx-body" }, contacts.element, keys.element);
  root.append(header(session, keys), body, foot(session));
  root.addEventListener("keydown", (event) => {
    if (modified(event) || event.target instanceof HTMLInputElement) return;
    if (acted(event.key, session, contacts, keys)) take(event);
  });
  return () => {
    for (const part of [contacts, session]) part.close();
    root.remove();
  };
}

function acted(key: string, session: Session, contacts: Contacts, keys: KeySheet): boolean {
  const shows = SHOWS.map(([show]) => show);
  if (key === "?") keys.toggle();
  else if (key === "c") session.arrange({ scale: session.own ? "all" : "map" });
  else if (key === "o")
    session.arrange({ show: shows[(shows.indexOf(session.show) + 1) % shows.length] as Show });
  else if (key === "+") session.resize(1.2);
  else if (key === "-" || key === "−") session.resize(1 / 1.2);
  else return contacts.element.contains(document.activeElement) ? contacts.move(key) : false;
  return true;
}

export default view("contact_sheet", "hx-contact-sheet", build);
