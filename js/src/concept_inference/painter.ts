// Draws what a concept is in a set: its map over the image, or the image itself at the root.
import { coloured } from "../layer_heatmaps/painter.ts";
import { pale } from "../lib/pale.ts";
import { type Buffer, bytesOf, type Grid, range } from "../lib/pixels.ts";
import type { Part } from "./payload.ts";

export interface Pictures {
  places?: [start: number, length: number][][];
  data?: Buffer;
}

interface Album {
  image: ImageBitmap;
  pale: HTMLCanvasElement;
  thumbnails: ImageBitmap[];
}

const OPACITY = 0.9;

export class Painter {
  private albums: Album[] = [];
  private readonly heats = new WeakMap<Grid, OffscreenCanvas>();

  /** Read the images; whoever paints before paints none. */
  async load(pictures: Pictures): Promise<void> {
    const bytes = bytesOf(pictures.data);
    const read = (pictures.places ?? []).map(async (places) => {
      const [image, ...thumbnails] = await Promise.all(
        places.map(([start, length]) =>
          createImageBitmap(new Blob([bytes.slice(start, start + length)])),
        ),
      );
      return image ? { image, pale: pale(image), thumbnails } : null;
    });
    this.albums = (await Promise.all(read)).filter((album) => album !== null);
  }

  /** Paint one set's map of a concept on the whole canvas; the image where there is no map. */
  paint(canvas: HTMLCanvasElement, part: Part): void {
    const context = canvas.getContext("2d");
    const album = this.albums[part.set];
    if (!context) return;
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    if (!album) return;
    context.imageSmoothingQuality = "high";
    context.drawImage(part.map ? album.pale : album.image, 0, 0, width, height);
    if (!part.map) return;
    context.globalAlpha = OPACITY;
    context.drawImage(this.heat(part.map), 0, 0, width, height);
    context.globalAlpha = 1;
  }

  /** Paint the thumbnails of a set side by side, as many as fit in equal squares. */
  paintAlbum(canvas: HTMLCanvasElement, set: number, most: number): void {
    const context = canvas.getContext("2d");
    if (!context) return;
    const { width } = canvas;
    const shown = (this.albums[set]?.thumbnails ?? []).slice(0, most);
    const columns = Math.max(1, Math.ceil(Math.sqrt(shown.length)));
    const rows = Math.max(1, Math.ceil(shown.length / columns));
    const side = width / columns;
    canvas.height = Math.round(side * rows);
    context.imageSmoothingQuality = "high";
    shown.forEach((image, i) => {
      const [x, y] = [(i % columns) * side, Math.floor(i / columns) * side];
      const least = Math.min(image.width, image.height);
      const [left, top] = [(image.width - least) / 2, (image.height - least) / 2];
      context.drawImage(image, left, top, least, least, x + 1, y + 1, side - 2, side - 2);
    });
  }

  private heat(map: Grid): OffscreenCanvas {
    const known = this.heats.get(map);
    if (known) return known;
    const canvas = coloured(map, scaleOf(map).strongest, true);
    this.heats.set(map, canvas);
    return canvas;
  }
}

/** The extent of a map, and the value that its strongest colour stands for. */
export function scaleOf(map: Grid): { low: number; high: number; strongest: number } {
  const [low, high] = range(map);
  return { low, high, strongest: Math.max(-low, high) || 1 };
}
