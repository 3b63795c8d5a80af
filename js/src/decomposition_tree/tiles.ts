// The tiles of nodes, and the names of the stages at the head of their columns or above their rows.
import { h, setAttribute, short } from "../lib/dom.ts";
import type { Place, Transform } from "../lib/plane.ts";
import { percent, shortened } from "../lib/words.ts";
import { type Direction, pitch, TILE } from "./geometry.ts";
import { estimatedShare, type Layer, type Tree, type TreeNode } from "./tree.ts";
import { levelName } from "./words.ts";

export interface Tile {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  node: TreeNode;
  painted: string;
}

interface TileState {
  place: Place;
  open: boolean;
  expandable: boolean;
  stub: boolean;
  label: string;
  name: string;
  /** How weak the map is beside its siblings, in words; nothing where it is not. */
  weak: string;
}

export const CANVAS = { near: 2 * TILE, far: TILE / 2 };

export function makeTile(node: TreeNode): Tile {
  const canvas = h("canvas", { width: CANVAS.near, height: CANVAS.near, "aria-hidden": "true" });
  const element = h(
    "div",
    { class: "hx-node", role: "treeitem", tabindex: -1, "data-path": node.key },
    h("div", { class: "hx-frame" }, canvas),
    h("div", { class: "hx-caption", "aria-hidden": "true" }),
    h("div", { class: "hx-badges", "aria-hidden": "true" }),
    h("span", { class: "hx-toggle", "aria-hidden": "true" }),
  );
  return { element, canvas, node, painted: "" };
}

export function dressTile(tile: Tile, state: TileState): void {
  const { element, node } = tile;
  const { place } = state;
  element.style.transform = `translate(${place.x}px, ${place.y}px)`;
  element.style.width = `${place.width}px`;
  element.style.height = `${place.height}px`;
  element.classList.toggle("hx-stub", state.stub);
  element.classList.toggle("hx-root-node", !node.parent);
  setAttribute(element, "aria-level", node.depth + 1);
  setAttribute(element, "aria-label", state.stub ? `${state.label}, hidden` : state.label);
  setAttribute(element, "aria-posinset", node.path.length ? (node.path.at(-1) as number) + 1 : 1);
  setAttribute(element, "aria-setsize", node.parent?.children.length ?? 1);
  setAttribute(element, "aria-expanded", state.expandable ? String(state.open) : null);
  const toggle = element.querySelector(".hx-toggle") as HTMLElement;
  toggle.hidden = !state.expandable || state.stub;
  toggle.textContent = state.open ? "−" : "+";
  caption(element.querySelector(".hx-caption") as HTMLElement, node, state);
  badges(element.querySelector(".hx-badges") as HTMLElement, node, state.weak);
}

function caption(element: HTMLElement, node: TreeNode, state: TileState): void {
  if (state.stub) {
    element.replaceChildren(h("span", {}, `${state.name} hidden`));
    return;
  }
  const bar = h("span", { class: "hx-share" }, h("i"));
  (bar.firstChild as HTMLElement).style.width = `${100 * Math.min(1, node.facts.share)}%`;
  const foretold = estimatedShare(node);
  if (foretold !== null) bar.append(tick(foretold));
  element.replaceChildren(
    node.parent ? short(state.name, "hx-channel") : decisionName(state.name),
    (node.parent && h("span", { class: "hx-percent" }, percent(node.facts.share))) || "",
    node.parent ? bar : "",
  );
}

const ROOM = 93; // pixels of a caption
const LETTERS = "650 13.5px";

/** The name of the decision, shortened in its middle by what its letters measure. */
function decisionName(name: string): HTMLElement {
  const own = getComputedStyle(document.documentElement).getPropertyValue("--jp-ui-font-family");
  const pen = h("canvas").getContext("2d");
  if (pen) pen.font = `${LETTERS} ${own || "system-ui, sans-serif"}`;
  const fits = (text: string) => (pen?.measureText(text).width ?? 0) <= ROOM;
  let text = name;
  for (let most = name.length - 1; most > 1 && !fits(text); most--) text = shortened(name, most);
  return h("span", { class: "hx-channel", title: name }, text);
}

/** Where on the bar of what was measured the gradient's estimate stands. */
function tick(share: number): HTMLElement {
  const made = h("b", { title: `the gradient says ${percent(share)}` });
  made.style.left = `${100 * Math.min(1, Math.max(0, share))}%`;
  return made;
}

function badges(element: HTMLElement, node: TreeNode, weak: string): void {
  const { also, negated, unclipped, activated } = node.facts;
  const mark = (text: string, title: string) => h("span", { class: "hx-badge", title }, text);
  element.replaceChildren(
    ...[
      also.length > 0 && mark(`also ${also.length}`, `also channels ${also.join(", ")}`),
      negated &&
        mark("negative", "its value is negative: what speaks for the negative was taken apart"),
      unclipped &&
        mark(
          "clipped",
          "the activation is clipped from above: the value before the clip was taken apart",
        ),
      activated === 0 && mark("ends", "no activated channel below"),
      weak !== "" && mark("weak", weak),
    ].filter((badge): badge is HTMLElement => Boolean(badge)),
  );
}

const MOST_SHIFT = 28;

/** The names of the stages: at the head of their columns, or above their rows. */
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
