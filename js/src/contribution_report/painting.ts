// A map painted over its image, and the scale of its colours.
import { heatGradient } from "../lib/colormap.ts";
import { fill, h } from "../lib/dom.ts";
import { coloured, paintOver } from "../lib/heat.ts";
import type { Grid } from "../lib/pixels.ts";
import type { Picture } from "./session.ts";

const SIDE = 480; // pixels of the canvas
const OPACITY = 0.9;

/** Paint an image, pale under its map; without a map as it is. */
export function paintPicture(
  canvas: HTMLCanvasElement,
  picture: Picture | undefined,
  map: Grid | null,
  strongest: number,
): void {
  if (!picture) return;
  const { width, height } = picture.image;
  const larger = SIDE / Math.max(width, height);
  canvas.width = Math.round(width * larger);
  canvas.height = Math.round(height * larger);
  if (map) paintOver(canvas, picture.pale, coloured(map, strongest), OPACITY);
  else paintOver(canvas, picture.image, null, OPACITY);
}

/** Colours from `low` (-1, or 0 for maps without a sign) to 1, and the value `most` at their end. */
export function drawScale(element: HTMLElement, low: -1 | 0, most: string): void {
  if (element.dataset.most === most) return;
  element.dataset.most = most;
  const ramp = h("span", {});
  ramp.style.background = heatGradient(low, 1);
  const ticks: [number, string][] = [
    [0, low && most ? `−${most}` : "0"],
    [50, "0"],
    [100, most],
  ];
  const shown = low ? ticks : ticks.filter(([place]) => place !== 50);
  fill(
    element,
    h("div", { class: "hx-ramp", "aria-hidden": "true" }, ramp),
    h("div", { class: "hx-ticks" }, ...shown.map(([place, text]) => tick(place, text))),
  );
}

function tick(place: number, text: string): HTMLElement {
  const element = h("span", {}, text);
  element.style.left = `${place}%`;
  return element;
}
