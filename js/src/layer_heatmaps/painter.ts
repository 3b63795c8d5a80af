// Draws a heatmap over the image, or a method's own picture.
import { coloured, lay, pale } from "../lib/heat.ts";
import { type Buffer, bitmapOf } from "../lib/pixels.ts";
import type { HeatCell, Sheet } from "./sheet.ts";

/** How a map is drawn: the value of the strongest colour, both signs or one, and how opaque. */
export interface Look {
  readonly strongest: number;
  readonly signed: boolean;
  readonly opacity: number;
}

export class Painter {
  private image: ImageBitmap | null = null;
  private pale: HTMLCanvasElement | null = null;
  private pictures = new WeakMap<Uint8Array, ImageBitmap>();
  private readonly heats = new WeakMap<HeatCell, { key: string; canvas: OffscreenCanvas }>();

  /** Read the image; whoever paints before paints no image. */
  async load(image: Buffer): Promise<void> {
    this.image = await bitmapOf(image);
    this.pale = pale(this.image);
  }

  /** Read the pictures of methods that have their own. */
  async loadPictures(sheet: Sheet): Promise<void> {
    const read = sheet.all().map(async ({ picture }) => {
      if (!picture || this.pictures.has(picture)) return;
      this.pictures.set(picture, await bitmapOf(picture));
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
    if (picture) lay(context, picture, look.opacity);
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
