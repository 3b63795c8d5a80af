// The names of the stages: at the head of their columns, or above their rows.

import { h } from "../lib/dom.ts";
import type { Transform } from "../lib/transform.ts";
import { type Direction, pitch } from "./geometry.ts";
import type { Layer, Tree } from "./tree.ts";
import { levelName } from "./words.ts";

const MOST_SHIFT = 28;

export function placeHeads(
  element: HTMLElement,
  tree: Tree,
  now: Transform,
  direction: Direction,
  depth: number,
): void {
  const levels: (Layer | null)[] = [null, ...tree.payload.layers].slice(0, depth + 1);
  while (element.children.length > levels.length) element.lastChild?.remove();
  const step = pitch(direction).level;
  levels.forEach((layer, level) => {
    const head = (element.children[level] ?? element.appendChild(h("div"))) as HTMLElement;
    write(head, layer);
    head.classList.toggle("hx-tight", direction === "right" && step * now.k < 122);
    const last = level === levels.length - 1;
    const start = level * step * now.k;
    head.style.width = direction === "right" && !last ? `${step * now.k - 8}px` : "";
    const [x, y] =
      direction === "right"
        ? [start + now.x - (last ? beyond(element, head, start + now.x) : 0), 0]
        : [0, start + now.y];
    head.style.transform = `translate(${x}px, ${y}px)`;
  });
}

/** How far a head reaches over the right edge, if by so little that it may move in. */
function beyond(element: HTMLElement, head: HTMLElement, x: number): number {
  const over = x + head.offsetWidth + 2 - element.clientWidth;
  return over > 0 && over <= MOST_SHIFT ? over : 0;
}

function write(head: HTMLElement, layer: Layer | null): void {
  const name = layer ? layer.name : "logit";
  const size = layer ? `${layer.shape[1]}×${layer.shape[2]}` : "";
  if (head.dataset.name === name) return;
  head.dataset.name = name;
  const title = levelName(layer);
  head.replaceChildren(
    h("div", {}, h("strong", {}, title), h("span", {}, size)),
    h("span", {}, title === name ? "" : name),
  );
}
