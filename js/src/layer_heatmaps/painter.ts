// Draws a heatmap over the image, or a method's own picture.
import { HEAT, heatIndex } from "../lib/colormap.ts";
import { pale } from "../lib/pale.ts";
import { type Buffer, bytesOf, type Grid, held, valueAt } from "../lib/pixels.ts";
import type { HeatCell, Sheet } from "./sheet.ts";

/** How a map is drawn: the value of the strongest colour, both signs or one, and how opaque. */
export interface Look {
  readonly strongest: number;
  readonly signed: boolean;
  readonly opacity: number;
}

const FINE = 176; // pixels a side to which a coarse map is enlarged before it is coloured

export class Painter {
  private image: ImageBitmap | null = null;
  private pale: HTMLCanvasElement | null = null;
  private pictures = new WeakMap<Uint8Array, ImageBitmap>();
  private readonly heats = new WeakMap<HeatCell, { key: string; canvas: OffscreenCanvas }>();

  /** Read the image; whoever paints before paints no image. */
  async load(image: Buffer): Promise<void> {
    this.image = await createImageBitmap(new Blob([bytesOf(image)]));
    this.pale = pale(this.image);
  }

  /** Read the pictures of methods that have their own. */
  async loadPictures(sheet: Sheet): Promise<void> {
    const read = sheet.all().map(async ({ picture }) => {
      if (!picture || this.pictures.has(picture)) return;
      this.pictures.set(picture, await createImageBitmap(new Blob([picture])));
    });
    await Promise.all(read);
  }

  /** Paint a map on the whole canvas; without one, the pale image. */
  paint(canvas: HTMLCanvasElement, cell: HeatCell | null, look: Look): void {
    const context = canvas.getContext("2d");
    if (!context) return;
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    if (this.pale && this.image) {
      context.imageSmoothingEnabled = width < 6 * this.image.width;
      context.drawImage(this.pale, 0, 0, width, height);
    }
    context.imageSmoothingEnabled = true;
    if (!cell) return;
    const picture = cell.picture ? this.pictures.get(cell.picture) : this.heat(cell, look);
    if (!picture) return;
    context.globalAlpha = look.opacity;
    context.drawImage(picture, 0, 0, width, height);
    context.globalAlpha = 1;
  }

  private heat(cell: HeatCell, { strongest, signed }: Look): OffscreenCanvas {
    const key = `${strongest} ${signed}`;
    const known = this.heats.get(cell);
    if (known?.key === key) return known.canvas;
    const canvas = coloured(cell.values, strongest, signed);
    this.heats.set(cell, { key, canvas });
    return canvas;
  }
}

/** A map in its colours, enlarged where it is coarse. */
export function coloured(map: Grid, strongest: number, signed: boolean): OffscreenCanvas {
  const enlarged = Math.max(1, Math.ceil(FINE / Math.max(map.height, map.width)));
  const [width, height] = [map.width * enlarged, map.height * enlarged];
  const canvas = new OffscreenCanvas(Math.max(1, width), Math.max(1, height));
  const context = canvas.getContext("2d");
  if (!context || width * height === 0) return canvas;
  const pixels = context.createImageData(width, height);
  const target = new Uint32Array(pixels.data.buffer);
  const colours = new Uint32Array(HEAT.buffer, HEAT.byteOffset, HEAT.byteLength / 4);
  for (let y = 0; y < height; y++) {
    const row = held((y + 0.5) / enlarged, map.height, true, true);
    for (let x = 0; x < width; x++) {
      const value = valueAt(map, row, held((x + 0.5) / enlarged, map.width, true, true));
      const shown = (signed ? value : Math.max(0, value)) / strongest;
      target[y * width + x] = colours[heatIndex(shown) / 4] as number;
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
