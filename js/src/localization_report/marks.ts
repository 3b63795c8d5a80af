// Boxes and outlines over an image: the true ones in one colour, the method's in another, dashed.
import { type Child, h, svg } from "../lib/dom.ts";
import { isEmpty, pathOf, type Rectangle } from "./report.ts";

export function rectangle(box: Rectangle, kind: string): Child[] {
  if (isEmpty(box)) return [];
  const [x, y, right, bottom] = box;
  const place = { x, y, width: right - x, height: bottom - y };
  return [
    svg("rect", { class: "hx-under", ...place }),
    svg("rect", { class: `hx-box ${kind}`, ...place }),
  ];
}

export function outline(edges: readonly Rectangle[], kind: string): Child[] {
  if (edges.length === 0) return [];
  const d = pathOf(edges);
  return [svg("path", { class: "hx-under", d }), svg("path", { class: `hx-box ${kind}`, d })];
}

/** An image with marks in its pixels over it; `told` is what is seen there. */
export function marked(
  src: string,
  [height, width]: readonly [number, number],
  told: string,
  ...marks: Child[]
): HTMLElement {
  const drawn = svg(
    "svg",
    { class: "hx-marks", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...marks,
  );
  const image = h("img", { src, alt: told, width, height });
  image.style.aspectRatio = `${width} / ${height}`;
  return h("div", { class: "hx-picture" }, image, drawn);
}

/** What the lines stand for. */
export function legend(...named: (readonly [kind: string, words: string])[]): HTMLElement {
  return h(
    "p",
    { class: "hx-legend" },
    ...named.map(([kind, words]) =>
      h("span", {}, h("i", { class: kind, "aria-hidden": "true" }), words),
    ),
  );
}
