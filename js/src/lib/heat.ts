// Maps as heat over an image: their colours, and the pale image below them.
import { HEAT, heatIndex } from "./colours.ts";
import { type Grid, held, valueAt } from "./pixels.ts";

const FINE = 176; // pixels a side to which a coarse map is enlarged before it is coloured
const PALE = 0.3; // how much of the image's colour stays under a map

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Where in a map's cells the centre of each pixel lies; nothing is drawn at NaN. */
export interface Lines {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
}

/** A map in its colours, enlarged where it is coarse. */
export function coloured(map: Grid, strongest: number, signed = true): OffscreenCanvas {
  const finer = Math.max(1, Math.ceil(FINE / Math.max(map.height, map.width)));
  return colouredAt(map, spread(map, map.height * finer, map.width * finer), strongest, signed);
}

/** The whole map on so many pixels. */
export function spread(map: Grid, height: number, width: number): Lines {
  const centres = (pixels: number, cells: number) =>
    Float64Array.from({ length: pixels }, (_, i) =>
      held(((i + 0.5) * cells) / pixels, cells, true, true),
    );
  return { rows: centres(height, map.height), columns: centres(width, map.width) };
}

/** A map in its colours, a pixel for each of these rows and columns. */
export function colouredAt(
  map: Grid,
  { rows, columns }: Lines,
  strongest: number,
  signed = true,
): OffscreenCanvas {
  const canvas = new OffscreenCanvas(Math.max(1, columns.length), Math.max(1, rows.length));
  const context = canvas.getContext("2d");
  if (!context || rows.length * columns.length === 0) return canvas;
  const pixels = context.createImageData(columns.length, rows.length);
  const target = new Uint32Array(pixels.data.buffer);
  const colours = new Uint32Array(HEAT.buffer, HEAT.byteOffset, HEAT.byteLength / 4);
  for (let y = 0; y < rows.length; y++) {
    const row = rows[y] as number;
    if (Number.isNaN(row)) continue;
    for (let x = 0; x < columns.length; x++) {
      const column = columns[x] as number;
      if (Number.isNaN(column)) continue;
      const value = valueAt(map, row, column);
      const shown = (signed ? value : Math.max(0, value)) / strongest;
      target[y * columns.length + x] = colours[heatIndex(shown) / 4] as number;
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Lay heat over what a canvas shows. */
export function lay(
  context: CanvasRenderingContext2D,
  heat: CanvasImageSource,
  opacity: number,
): void {
  context.globalAlpha = opacity;
  context.drawImage(heat, 0, 0, context.canvas.width, context.canvas.height);
  context.globalAlpha = 1;
}

/** Paint an image on the whole canvas, and heat over it where there is some. */
export function paintOver(
  canvas: HTMLCanvasElement,
  image: CanvasImageSource,
  heat: CanvasImageSource | null,
  opacity: number,
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  if (heat) lay(context, heat, opacity);
}

/** The size of an image whose longer side is made `side`. */
export function scaled({ width, height }: Size, side: number): Size {
  const larger = side / Math.max(width, height);
  return { width: Math.round(width * larger), height: Math.round(height * larger) };
}

/** The image with little colour, as the ground for a map. */
export function pale(image: ImageBitmap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return canvas;
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i] as number, data[i + 1] as number, data[i + 2] as number];
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    data[i] = (grey + (r - grey) * PALE) * 0.85;
    data[i + 1] = (grey + (g - grey) * PALE) * 0.85;
    data[i + 2] = (grey + (b - grey) * PALE) * 0.85;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
