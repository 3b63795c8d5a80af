// What is drawn of each set, and how the plot is turned and zoomed, by buttons and by keys.

import { KeySheet, type Keys, modified, take } from "../lib/controls.ts";
import { button, fill, h, listen, setAttribute } from "../lib/dom.ts";
import type { Plot } from "./plot.ts";
import { FIRST, turned, zoomed } from "./projection.ts";
import type { Session, Spread } from "./session.ts";

const SPREADS: readonly (readonly [Spread, string, string])[] = [
  ["ellipsoids", "Ellipsoids", "Two standard deviations around each set's centre"],
  ["spokes", "Spokes", "From each point to its set's centre"],
  ["none", "Points only", "Neither"],
];

/** What is drawn of each set, and how the plot is turned and zoomed by buttons. */
export function tools(session: Session, plot: Plot, keys: HTMLElement): HTMLElement {
  const choice = h("div", { class: "hx-choice", role: "group", "aria-label": "What is drawn" });
  const made = SPREADS.map(([spread, label, title]) => {
    const one = button(label, () => session.arrange({ spread }), { title });
    return [spread, one] as const;
  });
  fill(choice, ...made.map(([, one]) => one));
  const update = () => {
    for (const [spread, one] of made)
      setAttribute(one, "aria-pressed", String(spread === session.spread));
  };
  session.on((change) => change === "arrangement" && update());
  update();
  const zoom = (factor: number) => () => plot.turn(zoomed(session.turn, factor));
  const turning = h(
    "div",
    { class: "hx-buttons" },
    button("−", zoom(1 / 1.25), { "aria-label": "Zoom out" }),
    button("+", zoom(1.25), { "aria-label": "Zoom in" }),
    button("Reset", () => plot.turn(FIRST), { title: "As it was turned at first" }),
    keys,
  );
  return h("div", { class: "hx-plot-tools" }, choice, turning);
}

const KEYS: Keys = [
  ["→  ←  ↑  ↓", "turn (with Shift farther)"],
  ["+  −", "zoom, as does Ctrl + wheel"],
  ["Home  0", "as it was turned at first"],
  ["n  p", "to the next point, and back"],
  ["Enter  Space", "choose it (Shift: with the others)"],
  ["Esc", "cancel; let go of the points, of the cell"],
  ["?", "show or hide these keys"],
];
const STEP = 5; // degrees
const FARTHER = 4;
const GROW = 1.2;

/** The keyboard in the plot: one key, one act. */
export class PlotKeys {
  readonly sheet: KeySheet;

  constructor(
    private readonly session: Session,
    private readonly plot: Plot,
  ) {
    this.sheet = new KeySheet(KEYS, () => plot.element.focus());
    listen(plot.element, { keydown: (event) => this.press(event) });
  }

  private press(event: KeyboardEvent): void {
    if (modified(event)) return;
    if (this.turn(event) || this.act(event)) take(event);
  }

  private turn({ key, shiftKey }: KeyboardEvent): boolean {
    const { session, plot } = this;
    const step = STEP * (shiftKey ? FARTHER : 1);
    const by = {
      ArrowRight: [step, 0],
      ArrowLeft: [-step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    }[key];
    if (by) plot.turn(turned(session.turn, by[0] as number, by[1] as number));
    else if (key === "+" || key === "=") plot.turn(zoomed(session.turn, GROW));
    else if (key === "-") plot.turn(zoomed(session.turn, 1 / GROW));
    else if (key === "Home" || key === "0") plot.turn(FIRST);
    else return false;
    return true;
  }

  private act({ key, shiftKey }: KeyboardEvent): boolean {
    const { session, plot } = this;
    if (key === "n" || key === "]") plot.step(1);
    else if (key === "p" || key === "[") plot.step(-1);
    else if (key === "Enter" || key === " ") this.choose(shiftKey);
    else if (key === "Escape") session.clear();
    else if (key === "?") this.sheet.toggle();
    else return false;
    return true;
  }

  private choose(more: boolean): void {
    const { looked } = this.session;
    if (looked === null) return;
    this.session.choose(looked, more);
    this.plot.tell(looked);
  }
}
