// Images by methods: all maps in a grid, one of them large.
import "./method_grid.css";
import type { AnyModel } from "@anywidget/types";
import { choiceOf, KeySheet, type Keys, modified, take } from "../lib/controls.ts";
import { button, fill, h } from "../lib/dom.ts";
import { type Banner, view } from "../lib/view.ts";
import { MapTable } from "./grid.ts";
import { ChosenMap } from "./panel.ts";
import { Session, SIZE, type State } from "./session.ts";
import { type Scale, summary } from "./sheet.ts";

const KEYS: Keys = [
  ["← → ↑ ↓", "to the map beside, above or below"],
  ["Home  End", "to the first and the last method"],
  ["Page ↑  Page ↓", "to the first and the last image"],
  ["c", "another colour scale"],
  ["s", "both signs, or what speaks for the class alone"],
  ["+  −", "larger and smaller maps"],
  ["?", "show or hide these keys"],
];
const SCALES: readonly (readonly [Scale, string])[] = [
  ["map", "Each map"],
  ["row", "Each row"],
  ["column", "Each column"],
];
const OWN_UNITS =
  "Methods measure in units of their own: on one scale for a row, a pale map need not be weak.";

function slider(label: string, least: number, most: number, change: (value: number) => void) {
  const input = h("input", { type: "range", min: least, max: most, "aria-label": label });
  input.addEventListener("input", () => change(Number(input.value)));
  return { input, element: h("label", {}, h("span", {}, label), input) };
}

function header(session: Session, keys: KeySheet): HTMLElement {
  const title = h("h2", { class: "hx-title" });
  const scale = choiceOf("Colour scale", SCALES, (value) => session.arrange({ scale: value }));
  const signs = button("Both signs", () => session.arrange({ signed: !session.signed }));
  const opacity = slider("Opacity", 0, 100, (value) => session.arrange({ opacity: value / 100 }));
  const size = slider("Size", SIZE.least, SIZE.most, (value) => session.arrange({ size: value }));
  const update = () => {
    const { sheet } = session;
    const weak = sheet.places.filter(([row, column]) => session.weak({ row, column })).length;
    fill(title, h("b", {}, "Where does each method look?"), h("small", {}, summary(sheet, weak)));
    scale.show(session.scale);
    signs.setAttribute("aria-pressed", String(session.signed));
    opacity.input.value = String(Math.round(100 * session.opacity));
    size.input.value = String(session.size);
  };
  session.on(update);
  update();
  const controls = h(
    "div",
    { class: "hx-controls", role: "toolbar", "aria-label": "How the maps are drawn" },
    scale.element,
    signs,
    opacity.element,
    size.element,
    keys.hint,
  );
  return h("header", { class: "hx-header" }, title, controls);
}

function foot(session: Session): HTMLElement {
  const notes = h("footer", { class: "hx-notes" });
  const update = () => {
    const own = session.scale === "row" && new Set(session.sheet.methods).size > 1;
    const told = [...(own ? [OWN_UNITS] : []), ...session.sheet.notes];
    fill(notes, ...told.map((note) => h("p", {}, note)));
  };
  session.on(update);
  update();
  return notes;
}

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const [table, chosen] = [new MapTable(session), new ChosenMap(session)];
  const keys = new KeySheet(KEYS, () => table.focus());
  const body = h("div", { class: "hx-body" }, table.element, chosen.element, keys.element);
  root.append(header(session, keys), body, foot(session));
  root.addEventListener("keydown", (event) => {
    if (modified(event) || event.target instanceof HTMLInputElement) return;
    if (acted(event.key, session, table, keys)) take(event);
  });
  return () => {
    for (const part of [table, chosen, session]) part.close();
    root.remove();
  };
}

function acted(key: string, session: Session, table: MapTable, keys: KeySheet): boolean {
  const scales = SCALES.map(([scale]) => scale);
  const next = scales[(scales.indexOf(session.scale) + 1) % scales.length] ?? "map";
  if (key === "?") keys.toggle();
  else if (key === "c") session.arrange({ scale: next });
  else if (key === "s") session.arrange({ signed: !session.signed });
  else if (key === "+") session.resize(1.2);
  else if (key === "-" || key === "−") session.resize(1 / 1.2);
  else return table.element.contains(document.activeElement) && table.move(key);
  return true;
}

export default view("method_grid", "hx-method-grid", build);
