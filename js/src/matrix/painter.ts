// Paints the cells that are seen: one pixel per cell, or the strongest of those that share one.
import { STEPS } from "../channels/signed.ts";
import { type Bins, binsOf, type Extent, type Window } from "../layout/matrix.ts";
import type { Shades, Weights } from "./weights.ts";

const ZERO = 128;

export interface Picture {
  readonly weights: Weights;
  readonly shades: Shades;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly colours: Uint32Array;
}

/** Colours of the gathered cells, row by row. */
export function gathered(picture: Picture, across: Bins, down: Bins): Uint32Array<ArrayBuffer> {
  const { weights, shades, rows, columns, colours } = picture;
  const { bytes, columns: width } = weights;
  const [wide, tall] = [across.edges.length - 1, down.edges.length - 1];
  const pixels = new Uint32Array(Math.max(0, wide) * Math.max(0, tall));
  const strongest = new Float32Array(Math.max(0, wide));
  for (let j = 0; j < tall; j++) {
    strongest.fill(0);
    for (let n = down.edges[j] as number; n < (down.edges[j + 1] as number); n++) {
      const row = rows[n] as number;
      const start = row * width;
      const shade = shades.row[row] as number;
      for (let i = 0; i < wide; i++) {
        let best = strongest[i] as number;
        for (let m = across.edges[i] as number; m < (across.edges[i + 1] as number); m++) {
          const column = columns[m] as number;
          const q = (bytes[start + column] as number) - ZERO;
          if (q === 0) continue;
          const part = q * shade * (shades.column[column] as number);
          if (part > 0 ? part > Math.abs(best) : -part > Math.abs(best)) best = part;
        }
        strongest[i] = best;
      }
    }
    for (let i = 0; i < wide; i++) pixels[j * wide + i] = shaded(colours, strongest[i] as number);
  }
  return pixels;
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
