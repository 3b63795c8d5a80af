// A small picture of each point, from one buffer.
import { type Buffer, bytesOf } from "../lib/pixels.ts";

export interface ThumbnailsPayload {
  places?: [start: number, length: number][];
  data?: Buffer;
}

export class Thumbnails {
  private pictures: ImageBitmap[] = [];

  async load({ places, data }: ThumbnailsPayload): Promise<void> {
    const bytes = bytesOf(data);
    this.pictures = await Promise.all(
      (places ?? []).map(([start, length]) =>
        createImageBitmap(new Blob([bytes.slice(start, start + length)])),
      ),
    );
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
