// How well methods find things: a table sorted by any measure, images with boxes of the row chosen.
import "./localization_report.css";
import type { AnyModel } from "@anywidget/types";
import { KeySheet, type Keys, modified, selectOf, take } from "../lib/controls.ts";
import { button, classed, fill, h, setAttribute, short } from "../lib/dom.ts";
import { filesOf } from "../lib/pixels.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import { type Banner, view } from "../lib/view.ts";
import { counted, percent } from "../lib/words.ts";
import { legend, marked, rectangle } from "./marks.ts";
import {
  ABOUT,
  differenceWords,
  figureWords,
  type MethodRow,
  ordered,
  outcome,
  type ReportPayload,
  sourceWords,
  truthsOf,
} from "./report.ts";

interface State extends ViewState {
  report: ReportPayload;
  view: { row?: number; measure?: number };
}

const KEYS: Keys = [
  ["↑ ↓", "to the method above or below"],
  ["Home  End", "to the first and the last method"],
  ["← →", "sort by the measure before or after"],
  ["?", "show or hide these keys"],
];
const FIRST = "IoU > 0.5";

class Session extends ViewSession<State, "arrangement" | "report"> {
  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, "", "arrangement");
    this.follow("view", () => this.tell("arrangement"));
    this.follow("report", () => this.tell("report"));
  }

  get payload(): ReportPayload {
    return this.model.get("report");
  }

  /** The measure that methods are sorted by. */
  get measure(): number {
    const { measures } = this.payload;
    const { measure } = this.saved;
    return measure !== undefined && measure < measures.length
      ? measure
      : Math.max(0, measures.indexOf(FIRST));
  }

  get order(): number[] {
    return ordered(this.payload, this.measure);
  }

  /** The method whose boxes are shown. */
  get row(): number {
    const { row } = this.saved;
    return row !== undefined && row < this.payload.methods.length ? row : 0;
  }

  step(by: number): void {
    const last = this.payload.measures.length - 1;
    this.arrange({ measure: Math.min(last, Math.max(0, this.measure + by)) });
  }
}

class Table {
  readonly element = h("div", { class: "hx-rows" });
  private readonly rows = new Map<number, HTMLElement>();
  private built = "";

  constructor(private readonly session: Session) {
    session.on((change) => {
      if (change === "report") this.built = "";
      this.draw();
    });
    this.draw();
  }

  focus(): void {
    this.rows.get(this.session.row)?.focus();
  }

  /** Go where a key leads; whether the key meant that. */
  move(key: string): boolean {
    const { order, row } = this.session;
    const at = order.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: order.length - 1 }[key];
    if (to === undefined) return false;
    const next = order[to];
    if (next !== undefined) this.session.arrange({ row: next });
    this.focus();
    return true;
  }

  private draw(): void {
    const { measure, order, row } = this.session;
    const shape = JSON.stringify([measure, order]);
    const now = document.activeElement;
    const held = shape !== this.built && this.element.contains(now);
    const head = held && now?.closest("thead");
    if (shape !== this.built) {
      this.built = shape;
      this.rows.clear();
      fill(this.element, this.table());
    }
    for (const [method, element] of this.rows) {
      setAttribute(element, "aria-selected", String(method === row));
      element.tabIndex = method === row ? 0 : -1;
    }
    if (head) this.element.querySelector<HTMLElement>("thead [aria-pressed=true]")?.focus();
    else if (held) this.focus();
  }

  private table(): HTMLElement {
    const { session } = this;
    const { payload, measure, order } = session;
    const reference = payload.methods[payload.reference]?.name ?? "";
    const heads = payload.measures.map((name, i) => {
      const arrow = i === measure ? (i < payload.errors ? " ↑" : " ↓") : "";
      const press = button(name + arrow, () => session.arrange({ measure: i }), {
        "aria-pressed": String(i === measure),
        title: ABOUT[name] ?? name,
      });
      const sorted = i < payload.errors ? "ascending" : "descending";
      const head = h("th", { scope: "col", "aria-sort": i === measure ? sorted : null }, press);
      classed(head, "hx-other-measure", i !== measure);
      return head;
    });
    const less = h(
      "th",
      { scope: "col", title: `${payload.measures[measure]}, paired, less that of ${reference}` },
      short(`less ${reference}`),
    );
    return h(
      "table",
      { role: "grid", "aria-label": "Methods" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), ...heads, less)),
      h("tbody", {}, ...order.map((method) => this.row(method))),
    );
  }

  private row(method: number): HTMLElement {
    const { session } = this;
    const { payload } = session;
    const one = payload.methods[method] as MethodRow;
    const name = h("th", { scope: "row" }, short(one.name));
    const cells = one.images > 0 ? this.cells(method, one) : [this.reason(one)];
    const row = h("tr", { "aria-label": one.name }, name, ...cells);
    classed(row, "hx-simple", one.simple);
    row.addEventListener("click", () => {
      session.arrange({ row: method });
      this.focus();
    });
    this.rows.set(method, row);
    return row;
  }

  private reason(one: MethodRow): HTMLElement {
    const { measures } = this.session.payload;
    return h("td", { class: "hx-reason", colspan: measures.length + 1 }, one.reason);
  }

  private cells(method: number, one: MethodRow): HTMLElement[] {
    const { payload, measure } = this.session;
    const cells = payload.measures.map((name, i) => {
      const figure = one.figures[i] ?? [null, null];
      const words = h("span", {}, figureWords(name, figure));
      if (i !== measure) return h("td", { class: "hx-other-measure" }, words);
      const bar = h("i", { "aria-hidden": "true" });
      bar.style.width = `${96 * (figure[0] ?? 0)}%`;
      return h("td", { class: "hx-valued" }, bar, words);
    });
    const words =
      method === payload.reference
        ? "–"
        : differenceWords(
            payload.measures[measure] as string,
            one.differences[measure] ?? [null, null],
          );
    const less = h("td", {}, words);
    classed(less, "hx-sure", Boolean(one.counts[measure]));
    if (one.counts[measure]) less.title = "more than two standard errors";
    return [...cells, less];
  }
}

/** Images with the box of the method chosen and the true ones. */
class Images {
  readonly element = h("section", { class: "hx-beside", "aria-live": "polite", tabindex: 0 });
  private addresses: string[] = [];
  private drawn = "";

  constructor(private readonly session: Session) {
    session.on((change) => {
      if (change === "report") this.load();
      this.draw();
    });
    this.load();
    this.draw();
  }

  close(): void {
    for (const one of this.addresses) URL.revokeObjectURL(one);
  }

  private load(): void {
    this.close();
    const files = filesOf(this.session.payload.pictures);
    this.addresses = files.map((file) => URL.createObjectURL(new Blob([file])));
    this.drawn = "";
  }

  private draw(): void {
    const { payload, row } = this.session;
    if (this.drawn === String(row)) return;
    this.drawn = String(row);
    const one = payload.methods[row] as MethodRow;
    this.element.setAttribute("aria-label", `Images with the boxes of ${one.name}`);
    const known = payload.masked.every(Boolean) ? "around the true mask" : "true box";
    const found = one.figures[2]?.[0];
    const some =
      found === null || found === undefined
        ? one.reason
        : `Some of ${counted(payload.images, "image")}, drawn at random; of all, ${percent(found)} are found.`;
    fill(
      this.element,
      h("h3", {}, one.name),
      h("p", {}, sourceWords(one)),
      legend(["hx-own", "its box"], ["hx-true", known]),
      h("p", {}, some),
      h("div", { class: "hx-images" }, ...this.addresses.map((src, i) => this.image(src, row, i))),
    );
  }

  private image(src: string, method: number, i: number): HTMLElement {
    const { payload } = this.session;
    const own = payload.boxes[method]?.[i] ?? [0, 0, 0, 0];
    const words = outcome(payload, method, i);
    const name = payload.named[i] ?? "";
    return h(
      "figure",
      {},
      marked(
        src,
        payload.sizes[i] as [number, number],
        `Image ${payload.places[i]}, ${name}: ${words}`,
        ...truthsOf(payload, i).flatMap((box) => rectangle(box, "hx-true")),
        ...rectangle(own, "hx-own"),
      ),
      h("figcaption", {}, short(name), words),
    );
  }
}

function header(session: Session, keys: KeySheet): HTMLElement {
  const title = h("h2", { class: "hx-title" });
  const options = session.payload.measures.map((name, i) => [String(i), name] as const);
  const measure = selectOf("Sorted by", options, (value) =>
    session.arrange({ measure: Number(value) }),
  );
  measure.element.classList.add("hx-measure-choice");
  const update = () => {
    const { model } = session.payload;
    fill(title, h("b", {}, "How well are things found?"), h("small", {}, model));
    measure.show(String(session.measure));
  };
  session.on(update);
  update();
  return h(
    "header",
    { class: "hx-header" },
    title,
    h("div", { class: "hx-tools" }, measure.element, keys.hint),
  );
}

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const [table, images] = [new Table(session), new Images(session)];
  const keys = new KeySheet(KEYS, () => table.focus());
  const verdict = h("p", { class: "hx-verdict", role: "status" });
  const notes = h("footer", { class: "hx-notes" });
  const write = () => {
    const { payload } = session;
    fill(verdict, payload.verdict, h("small", {}, payload.facts));
    fill(notes, ...payload.notes.map((note) => h("p", {}, note)));
  };
  session.on(write);
  write();
  root.append(
    header(session, keys),
    verdict,
    h("div", { class: "hx-body" }, table.element, images.element, keys.element),
    notes,
  );
  root.addEventListener("keydown", (event) => {
    if (modified(event)) return;
    if (acted(event, session, table, keys)) take(event);
  });
  return () => {
    for (const part of [images, session]) part.close();
    root.remove();
  };
}

function acted(
  { key, target }: KeyboardEvent,
  session: Session,
  table: Table,
  keys: KeySheet,
): boolean {
  if (key === "?") keys.toggle();
  else if (!table.element.contains(target as Node)) return false;
  else if (key === "ArrowLeft") session.step(-1);
  else if (key === "ArrowRight") session.step(1);
  else return table.move(key);
  return true;
}

export default view("localization_report", "hx-localizations", build);
