// What is drawn of each set, and how the plot is turned and zoomed by buttons.

import { button, fill, h } from "../lib/dom.ts";
import type { Plot } from "./plot.ts";
import { FIRST, zoomed } from "./projection.ts";
import type { Session, Spread } from "./session.ts";

const SPREADS: readonly (readonly [Spread, string, string])[] = [
  ["ellipsoids", "Ellipsoids", "Two standard deviations around each set's centre"],
  ["spokes", "Spokes", "From each point to its set's centre"],
  ["none", "Points only", "Neither"],
];

export function tools(session: Session, plot: Plot, keys: HTMLElement): HTMLElement {
  const choice = h("div", { class: "hx-choice", role: "group", "aria-label": "What is drawn" });
  const made = SPREADS.map(([spread, label, title]) => {
    const one = button(label, () => session.arrange({ spread }), { title });
    return [spread, one] as const;
  });
  fill(choice, ...made.map(([, one]) => one));
  const update = () => {
    for (const [spread, one] of made)
      one.setAttribute("aria-pressed", String(spread === session.spread));
  };
  session.on((change) => change === "arrangement" && update());
  update();
  const zoom = (factor: number) => () => plot.turn(zoomed(session.turn, factor));
  const turning = h(
    "div",
    { class: "hx-buttons" },
    button("−", zoom(1 / 1.25), { "aria-label": "Zoom out" }),
    button("+", zoom(1.25), { "aria-label": "Zoom in" }),
    button("Reset", () => plot.turn(FIRST), { title: "Back to how it was turned at first" }),
    keys,
  );
  return h("div", { class: "hx-plot-tools" }, choice, turning);
}
