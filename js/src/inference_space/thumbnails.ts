// A small picture of each point, from one buffer.
import { bitmapsOf, type Files } from "../lib/pixels.ts";

export class Thumbnails {
  private pictures: ImageBitmap[] = [];

  async load(files: Files): Promise<void> {
    this.pictures = await bitmapsOf(files);
  }

  has(point: number): boolean {
    return this.pictures[point] !== undefined;
  }

  /** Paint a point's picture as large as the canvas is wide; false where there is none. */
  paint(canvas: HTMLCanvasElement, point: number, width: number): boolean {
    const picture = this.pictures[point];
    if (!picture) return false;
    canvas.width = width;
    canvas.height = Math.round((width * picture.height) / picture.width);
    const context = canvas.getContext("2d");
    if (!context) return false;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return true;
  }
}
