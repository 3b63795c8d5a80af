// The tree on its plane: tiles, links, labelled stages; pan, zoom and the keyboard.
import { h, reducedMotion, svg } from "../lib/dom.ts";
import {
  clampZoom,
  fitting,
  include,
  leash,
  listenToGestures,
  type Place,
  reveal,
  type Transform,
  zoomAt,
} from "../lib/plane.ts";
import { type Branch, layoutSlots, type Slot } from "../lib/slots.ts";
import { bounds, type Direction, linkPath, linkWidth, placeOf } from "./geometry.ts";
import { centred, Minimap } from "./minimap.ts";
import { type Change, type Session, shownChildren } from "./session.ts";
import { CANVAS, dressTile, makeTile, placeHeads, type Tile } from "./tiles.ts";
import type { TreeNode } from "./tree.ts";
import { nodeName, spoken, weakness } from "./words.ts";

const STUB = 0.3;
const MARGIN = 14;
const HEAD = { right: 42, down: 24 };
const NARROW = 400;
const PAINT_BUDGET = 7;
const READABLE = 0.46;
const SMALLEST = 0.28; // a tile of 26 pixels: less is nothing to look at, the map has all of it
const FAR = 0.4; // zoomed out so far, tiles are coarser and captions gone

export class Stage {
  readonly element: HTMLElement;
  private readonly plane = h("div", { class: "hx-plane", role: "tree" });
  private readonly links = svg("svg", { class: "hx-links", "aria-hidden": "true" });
  private readonly heads = h("div", { class: "hx-heads", "aria-hidden": "true" });
  private readonly window: HTMLElement;
  private readonly minimap = new Minimap((at, box, small) => {
    this.moveTo(centred(at, box, small, this.now, this.room()), false);
    this.keep();
  });
  private readonly tiles = new Map<string, Tile>();
  private readonly paths = new Map<string, SVGPathElement>();
  private places = new Map<string, Place>();
  private now: Transform = { x: 0, y: 0, k: 1 };
  private settled = false;
  private painting = 0;
  private size = { width: 0, height: 0 };
  private readonly stops: (() => void)[] = [];

  constructor(private readonly session: Session) {
    this.plane.append(this.links);
    this.window = h("div", { class: "hx-window" }, this.plane, this.heads, this.minimap.element);
    this.element = h(
      "div",
      { class: "hx-stage", role: "group", "aria-label": "Decomposition tree" },
      this.window,
    );
    this.plane.setAttribute("aria-label", "Decomposition, from the decision down");
    this.listen();
    session.on((change) => this.follow(change));
    this.update();
  }

  get direction(): Direction {
    return this.window.clientWidth > 0 && this.window.clientWidth < NARROW ? "down" : "right";
  }

  /** The nodes that are on the plane, from the decision down, each with its branch. */
  inOrder(): TreeNode[] {
    return [...this.places.keys()].map((key) => this.session.tree.nodes.get(key) as TreeNode);
  }

  close(): void {
    for (const stop of this.stops) stop();
    cancelAnimationFrame(this.painting);
  }

  fitAll(): void {
    this.moveTo(this.fitted(SMALLEST, 1.75), true);
    this.keep();
  }

  zoom(factor: number): void {
    const { clientWidth, clientHeight } = this.window;
    this.moveTo(zoomAt(this.now, clientWidth / 2, clientHeight / 2, factor), true);
    this.keep();
  }

  focus(node: TreeNode): void {
    this.session.select(node);
    this.tiles.get(node.key)?.element.focus({ preventScroll: true });
  }

  nodeOf(element: EventTarget | null): TreeNode | null {
    const tile = (element as Element | null)?.closest?.("[data-path]");
    return tile
      ? (this.session.tree.nodes.get(tile.getAttribute("data-path") ?? "") ?? null)
      : null;
  }

  private follow(change: Change): void {
    if (change === "tree") this.dropTiles();
    if (change === "tree" || change === "arrangement") this.update();
    if (change === "look") this.emphasise();
    if (change === "pixels") this.paintSoon();
  }

  private dropTiles(): void {
    for (const tile of this.tiles.values()) tile.painted = "";
  }

  private update(): void {
    const slots = layoutSlots(this.branch(this.session.tree.root));
    this.places = new Map([...slots].map(([key, slot]) => [key, placeOf(slot, this.direction)]));
    this.keepOnly(slots);
    for (const key of slots.keys()) this.updateTile(key);
    for (const key of slots.keys()) this.updateLink(key);
    this.element.classList.toggle("hx-down", this.direction === "down");
    this.emphasise();
    this.arrive();
    this.paintSoon();
  }

  private branch(node: TreeNode): Branch {
    const { arrangement, open } = this.session;
    const children = shownChildren(node, open, arrangement.hidden);
    const size = arrangement.hidden.has(node.key) ? STUB : 1;
    return { key: node.key, size, children: children.map((child) => this.branch(child)) };
  }

  private keepOnly(slots: Map<string, Slot>): void {
    for (const [key, tile] of this.tiles) {
      if (slots.has(key)) continue;
      tile.element.remove();
      this.tiles.delete(key);
      this.paths.get(key)?.remove();
      this.paths.delete(key);
    }
  }

  private updateTile(key: string): void {
    const { tree, arrangement, open } = this.session;
    const node = tree.nodes.get(key) as TreeNode;
    const weak = weakness(node, this.session.words);
    const tile = this.tiles.get(key) ?? makeTile(node);
    tile.node = node;
    if (!this.tiles.has(key)) this.plane.append(tile.element);
    this.tiles.set(key, tile);
    dressTile(tile, {
      place: this.places.get(key) as Place,
      open: open.has(key) && node.children.length > 0,
      expandable: this.session.expandable(node),
      stub: arrangement.hidden.has(key),
      label: [spoken(node, tree), weak].filter(Boolean).join(", "),
      weak,
      name: node.parent ? `#${node.facts.channel}` : nodeName(node, tree),
    });
  }

  private updateLink(key: string): void {
    const node = this.tiles.get(key)?.node;
    if (!node?.parent) return;
    const path = this.paths.get(key) ?? svg("path", { class: "hx-link" });
    if (!this.paths.has(key)) this.links.append(path);
    this.paths.set(key, path);
    const [from, to] = [this.places.get(node.parent.key), this.places.get(key)];
    path.setAttribute("d", linkPath(from as Place, to as Place, this.direction));
    path.style.strokeWidth = `${linkWidth(node.facts.share)}`;
  }

  /** Bring out the path to the current node; what follows along the strongest is half brought out. */
  private emphasise(): void {
    const on = new Set(this.session.current.line.map((node) => node.key));
    const next = new Set(this.session.line.map((node) => node.key));
    const { selected, current } = this.session;
    for (const [key, { element }] of this.tiles) {
      element.classList.toggle("hx-on", on.has(key));
      element.classList.toggle("hx-next", next.has(key) && !on.has(key));
      element.classList.toggle("hx-current", key === current.key);
      element.setAttribute("aria-selected", String(key === selected.key));
      element.tabIndex = key === selected.key ? 0 : -1;
    }
    for (const [key, path] of this.paths) {
      path.classList.toggle("hx-on", on.has(key));
      path.classList.toggle("hx-next", next.has(key) && !on.has(key));
      if (on.has(key)) this.links.append(path);
    }
    if (!this.plane.querySelector('[tabindex="0"]'))
      this.tiles.get("")?.element.setAttribute("tabindex", "0");
  }

  private arrive(): void {
    if (this.window.clientWidth === 0) return;
    const zoom = this.session.arrangement.zoom;
    if (!this.settled)
      this.moveTo(zoom ?? this.fitted(this.direction === "right" ? READABLE : 0.85, 1.75), false);
    else this.showSelected();
    this.settled = true;
  }

  private showSelected(): void {
    const { selected, arrangement } = this.session;
    const place = this.places.get(selected.key);
    if (!place) return;
    // as long as nobody has zoomed, the whole path and the children stay in sight if they can
    const path = bounds(this.placesOf([...selected.line, ...selected.children]));
    const wide = include(this.now, path, this.room(), MARGIN, READABLE);
    const seen = reveal(arrangement.zoom ? this.now : wide, place, this.room(), MARGIN);
    this.moveTo(seen, true);
  }

  private placesOf(nodes: readonly TreeNode[]): Place[] {
    return nodes.map((node) => this.places.get(node.key)).filter((place) => place !== undefined);
  }

  private room(): { width: number; height: number } {
    const head = HEAD[this.direction];
    return { width: this.window.clientWidth, height: this.window.clientHeight - head };
  }

  private fitted(least: number, most: number): Transform {
    return fitting(bounds(this.places.values()), this.room(), MARGIN, least, most);
  }

  private moveTo(next: Transform, smooth: boolean): void {
    const all = bounds(this.places.values());
    this.now = leash({ ...next, k: clampZoom(next.k) }, all, this.room());
    const { x, y, k } = this.now;
    this.plane.classList.toggle("hx-smooth", smooth && !reducedMotion());
    this.plane.style.transform = `translate(${x}px, ${y + HEAD[this.direction]}px) scale(${k})`;
    this.element.classList.toggle("hx-far", k < FAR);
    const line = this.placesOf(this.session.line);
    this.minimap.draw(this.places.values(), all, this.now, this.room(), line);
    placeHeads(this.heads, this.session.tree, this.now, this.direction, this.depth());
    this.paintSoon();
  }

  private depth(): number {
    return Math.max(...[...this.tiles.values()].map((tile) => tile.node.depth));
  }

  private keep(): void {
    const { x, y, k } = this.now;
    const zoom = { x: Math.round(x), y: Math.round(y), k: Math.round(k * 1000) / 1000 };
    this.session.arrangement.change({ zoom });
  }

  /** Paint what is in the window and not painted yet, a few milliseconds per frame. */
  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const { arrangement, painter } = this.session;
    const end = performance.now() + PAINT_BUDGET;
    for (const [key, tile] of this.tiles) {
      const { shown, opacity } = arrangement;
      const picture = shown === "guided" && painter.hasPicture(key);
      const size = this.now.k < FAR ? CANVAS.far : CANVAS.near;
      const wanted = `${shown} ${opacity} ${picture} ${painter.ready} ${size}`;
      if (tile.painted === wanted || !this.inWindow(key)) continue;
      if (tile.canvas.width !== size) tile.canvas.width = tile.canvas.height = size;
      painter.paintCrop(tile.canvas, tile.node, shown, opacity);
      tile.painted = wanted;
      if (performance.now() > end) {
        this.paintSoon();
        return;
      }
    }
  }

  private inWindow(key: string): boolean {
    const place = this.places.get(key);
    if (!place) return false;
    const { x, y, k } = this.now;
    const [left, top] = [place.x * k + x, place.y * k + y];
    const { width, height } = this.room();
    return left < width && top < height && left + place.width * k > 0 && top + place.height * k > 0;
  }

  private listen(): void {
    const { session } = this;
    const size = new ResizeObserver(() => this.resized());
    size.observe(this.window);
    this.stops.push(
      () => size.disconnect(),
      listenToGestures(this.window, {
        get: () => this.now,
        set: (next) => this.moveTo(next, false),
        start: () => this.plane.classList.add("hx-moving"),
        end: () => {
          this.plane.classList.remove("hx-moving");
          this.keep();
        },
      }),
    );
    this.plane.addEventListener("pointerover", (event) => session.hover(this.nodeOf(event.target)));
    this.plane.addEventListener("pointerleave", () => session.hover(null));
    this.plane.addEventListener("click", (event) => this.click(event));
    // the browser must not scroll the window's inside to a focused tile: the plane moves instead
    this.window.addEventListener("scroll", () => this.window.scrollTo(0, 0));
  }

  private click(event: MouseEvent): void {
    const { session } = this;
    const node = this.nodeOf(event.target);
    if (!node) return;
    if (session.arrangement.hidden.has(node.key)) session.arrangement.toggleHidden(node.key);
    const again = node.key === session.selected.key;
    const closed = !session.open.has(node.key) || node.children.length === 0;
    const onToggle = (event.target as Element).classList.contains("hx-toggle");
    this.focus(node);
    if (onToggle || again || closed) void session.toggle(node);
  }

  private resized(): void {
    const { clientWidth: width, clientHeight: height } = this.window;
    const by = Math.abs(width - this.size.width) + Math.abs(height - this.size.height);
    if (by > 8 && this.session.arrangement.zoom === null) this.settled = false;
    this.size = { width, height };
    this.update();
  }
}
