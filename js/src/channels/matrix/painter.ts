// Paints the cells that are seen: one pixel per cell, or the strongest of those that share one.
import { STEPS } from "../signed.ts";
import type { Shades, Weights } from "./weights.ts";
import { type Bins, binsOf, type Extent, type Window } from "./window.ts";

interface Picture {
  readonly weights: Weights;
  readonly shades: Shades;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly colours: Uint32Array;
}

/** Colours of the gathered cells, row by row; only weights that are not zero are looked at. */
export function gathered(picture: Picture, across: Bins, down: Bins): Uint32Array<ArrayBuffer> {
  const { rows, colours } = picture;
  const wide = Math.max(0, across.edges.length - 1);
  const tall = Math.max(0, down.edges.length - 1);
  const pixels = new Uint32Array(wide * tall);
  const strongest = new Float32Array(wide);
  const places = placesOf(picture, across);
  for (let j = 0; j < tall; j++) {
    strongest.fill(0);
    for (let n = down.edges[j] as number; n < (down.edges[j + 1] as number); n++)
      gatherRow(picture, rows[n] as number, places, strongest);
    for (let i = 0; i < wide; i++) pixels[j * wide + i] = shaded(colours, strongest[i] as number);
  }
  return pixels;
}

// the bin of every channel, -1 where it is not seen
function placesOf({ columns }: Picture, { edges }: Bins): Int32Array {
  const places = new Int32Array(columns.length).fill(-1);
  for (let i = 0; i + 1 < edges.length; i++)
    for (let n = edges[i] as number; n < (edges[i + 1] as number); n++)
      places[columns[n] as number] = i;
  return places;
}

function gatherRow(
  { weights, shades }: Picture,
  row: number,
  places: Int32Array,
  strongest: Float32Array,
): void {
  const { starts, channels, codes } = weights;
  const shade = shades.row[row] as number;
  const end = starts[row + 1] as number;
  for (let n = starts[row] as number; n < end; n++) {
    const channel = channels[n] as number;
    const place = places[channel] as number;
    if (place < 0) continue;
    const part = (codes[n] as number) * shade * (shades.column[channel] as number);
    if (Math.abs(part) > Math.abs(strongest[place] as number)) strongest[place] = part;
  }
}

// what is not zero is never drawn as nothing
function shaded(colours: Uint32Array, part: number): number {
  if (part === 0) return 0;
  const size = Math.min(STEPS, Math.max(1, Math.round(Math.abs(part) * STEPS)));
  return colours[part > 0 ? STEPS + size : STEPS - size] as number;
}

export function paint(
  canvas: HTMLCanvasElement,
  picture: Picture,
  now: Window,
  extent: Extent,
  ratio: number,
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const across = binsOf(now.x, now.k * ratio, extent.columns, canvas.width);
  const down = binsOf(now.y, now.l * ratio, extent.rows, canvas.height);
  const [wide, tall] = [across.edges.length - 1, down.edges.length - 1];
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (wide <= 0 || tall <= 0) return;
  const small = new OffscreenCanvas(wide, tall);
  const pixels = gathered(picture, across, down);
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), wide, tall);
  small.getContext("2d")?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, across.start, down.start, wide * across.size, tall * down.size);
}
