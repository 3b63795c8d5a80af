// Marks of sets in the plot, and the legend: mark, name, what was inferred in each set, how many
// images; one brings its points out.
import { button, fill, h, listen, svg } from "../lib/dom.ts";
import { counted } from "../lib/words.ts";
import type { Session } from "./session.ts";

type Corner = readonly [x: number, y: number];

function regular(corners: number, radius: number, turn = 0): Corner[] {
  return Array.from({ length: corners }, (_, i) => {
    const angle = 2 * Math.PI * (i / corners + turn);
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

function star(): Corner[] {
  return Array.from({ length: 10 }, (_, i) => {
    const [angle, radius] = [(Math.PI * i) / 5, i % 2 ? 0.72 : 1.5];
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

function cross(): Corner[] {
  const [a, b] = [0.45, 1.2];
  const arm: Corner[] = [
    [-a, -b],
    [a, -b],
    [a, -a],
  ];
  // an arm, turned by a quarter four times
  return [0, 1, 2, 3].flatMap((quarter) =>
    arm.map(([x, y]): Corner => {
      let corner: Corner = [x, y];
      for (let i = 0; i < quarter; i++) corner = [-corner[1], corner[0]];
      return corner;
    }),
  );
}

/** Disc, triangle, square, diamond, cross, triangle downward, star. */
const SHAPES: readonly (readonly Corner[])[] = [
  regular(32, 1),
  regular(3, 1.52),
  regular(4, 1.26, 0.125),
  regular(4, 1.28),
  cross(),
  regular(3, 1.52, 0.5),
  star(),
];
export const COLOURS = 6;

export function marker(set: number): readonly Corner[] {
  return SHAPES[set % SHAPES.length] as readonly Corner[];
}

/** As the outline of an SVG path. */
export function markerPath(set: number, size: number): string {
  const n = (value: number) => String(Math.round(value * size * 100) / 100);
  return `M${marker(set)
    .map(([x, y]) => `${n(x)},${n(y)}`)
    .join("L")}Z`;
}

/** The mark of a set, as it is in the plot. */
export function markOf(set: number): SVGSVGElement {
  const path = svg("path", { d: markerPath(set, 6), fill: `var(--hx-set-${set % COLOURS})` });
  return svg("svg", { class: "hx-mark-of", viewBox: "-10 -10 20 20", "aria-hidden": "true" }, path);
}

/** The sets: mark, name, what was inferred in each, how many images; one brings its points out. */
export function legend(session: Session): HTMLElement {
  const { groups, level } = session.space.payload;
  const made = groups.map((group, set) => {
    const words = `${group.concept} (${level}) inferred in ${counted(group.images, "image")}`;
    const one = button("", () => session.chooseCell(set, set), {
      title: `Bring out ${group.name}`,
    });
    listen(one, {
      pointerenter: () => session.hoverCell([set, set]),
      pointerleave: () => session.hoverCell(null),
    });
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
