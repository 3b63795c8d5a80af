// A map painted over its image, and the scale of its colours.
import { fill } from "../lib/dom.ts";
import { coloured, paintOver, scaled } from "../lib/heat.ts";
import type { Grid } from "../lib/pixels.ts";
import { ramp } from "../lib/ramp.ts";
import type { Tick } from "../lib/ticks.ts";
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
  Object.assign(canvas, scaled(picture.image, SIDE));
  if (map) paintOver(canvas, picture.pale, coloured(map, strongest), OPACITY);
  else paintOver(canvas, picture.image, null, OPACITY);
}

/** Colours from `low` (-1, or 0 for maps without a sign) to 1, and the value `most` at their end. */
export function drawScale(element: HTMLElement, low: -1 | 0, most: string): void {
  if (element.dataset.most === most) return;
  element.dataset.most = most;
  const zero: Tick[] = low ? [[50, "0"]] : [];
  fill(element, ...ramp(low, 1, [[0, low && most ? `−${most}` : "0"], ...zero, [100, most]]));
}
