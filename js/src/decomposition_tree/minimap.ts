// The whole plane, small, in a corner, where the window shows only a part of it: a click goes there.
import { h } from "../lib/dom.ts";
import type { Place, Transform } from "../lib/plane.ts";
import { inks } from "../lib/theme.ts";

const MOST = { width: 132, height: 132 };
const PART = 0.6; // of the plane in the window, from which on nobody is lost

interface Size {
  readonly width: number;
  readonly height: number;
}

/** How small the plane is drawn so that all of it is seen. */
export function minified(box: Place, most: Size = MOST): number {
  return Math.min(most.width / Math.max(1, box.width), most.height / Math.max(1, box.height), 1);
}

/** The plane moved so that its point in the map is in the middle of the window. */
export function centred(
  at: readonly [number, number],
  box: Place,
  small: number,
  now: Transform,
  window: Size,
): Transform {
  const [x, y] = [box.x + at[0] / small, box.y + at[1] / small];
  return { k: now.k, x: window.width / 2 - x * now.k, y: window.height / 2 - y * now.k };
}

export class Minimap {
  readonly element = h("canvas", {
    class: "hx-minimap",
    hidden: true,
    "aria-hidden": "true",
    title: "All of the tree: click or drag to go there",
  });
  private box: Place = { x: 0, y: 0, width: 1, height: 1 };

  constructor(go: (at: readonly [number, number], box: Place, small: number) => void) {
    const move = (event: PointerEvent) => {
      if (event.type === "pointermove" && event.buttons !== 1) return;
      event.stopPropagation();
      const { left, top } = this.element.getBoundingClientRect();
      go([event.clientX - left, event.clientY - top], this.box, minified(this.box));
    };
    this.element.addEventListener("pointerdown", move);
    this.element.addEventListener("pointermove", move);
    this.element.addEventListener("click", (event) => event.stopPropagation());
  }

  draw(places: Iterable<Place>, box: Place, now: Transform, window: Size, on: Place[]): void {
    const seen = (window.width * window.height) / (box.width * box.height * now.k ** 2);
    this.element.hidden = seen > PART;
    if (this.element.hidden) return;
    this.box = box;
    const small = minified(box);
    const ratio = devicePixelRatio || 1;
    const size = { width: Math.ceil(box.width * small), height: Math.ceil(box.height * small) };
    Object.assign(this.element, { width: size.width * ratio, height: size.height * ratio });
    Object.assign(this.element.style, { width: `${size.width}px`, height: `${size.height}px` });
    const context = this.element.getContext("2d");
    if (!context) return;
    const { soft, accent } = inks(this.element, "soft", "accent");
    context.scale(ratio * small, ratio * small);
    context.translate(-box.x, -box.y);
    const dot = (place: Place) => {
      const side = Math.max(2 / small, Math.min(place.width, place.height) * 0.8);
      context.fillRect(place.x, place.y, side, Math.max(1 / small, side * 0.7));
    };
    context.fillStyle = soft;
    for (const place of places) dot(place);
    context.fillStyle = context.strokeStyle = accent;
    for (const place of on) dot(place);
    context.lineWidth = 1.5 / small;
    const [width, height] = [window.width / now.k, window.height / now.k];
    context.strokeRect(-now.x / now.k, -now.y / now.k, width, height);
  }
}
