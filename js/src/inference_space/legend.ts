// The sets: mark, name, what was inferred in each, how many images; one brings its points out.

import { button, fill, h, svg } from "../lib/dom.ts";
import { counted } from "../lib/words.ts";
import { COLOURS, markerPath } from "./markers.ts";
import type { Session } from "./session.ts";

/** The mark of a set, as it is in the plot. */
export function markOf(set: number): SVGSVGElement {
  const path = svg("path", { d: markerPath(set, 6), fill: `var(--hx-set-${set % COLOURS})` });
  return svg("svg", { class: "hx-mark-of", viewBox: "-10 -10 20 20", "aria-hidden": "true" }, path);
}

export function legend(session: Session): HTMLElement {
  const { groups, level } = session.space.payload;
  const made = groups.map((group, set) => {
    const words = `${group.concept} (${level}) inferred in ${counted(group.images, "image")}`;
    const one = button("", () => session.chooseCell(set, set), {
      title: `Bring out ${group.name}`,
    });
    one.addEventListener("pointerenter", () => session.hoverCell([set, set]));
    one.addEventListener("pointerleave", () => session.hoverCell(null));
    fill(one, markOf(set), h("b", {}, group.name), h("span", {}, words));
    return h("li", {}, one, group.flag && h("p", { class: "hx-flagged" }, group.flag));
  });
  const update = () => {
    for (const [set, one] of made.entries()) {
      const on = session.cell?.[0] === set && session.cell[1] === set;
      one.querySelector("button")?.setAttribute("aria-pressed", String(on));
    }
  };
  session.on((change) => change === "arrangement" && update());
  update();
  return h("ul", { class: "hx-sets", "aria-label": "Sets of images" }, ...made);
}
