// Draws what a concept is in a set: its map over the image, or the image itself at the root.

import { scaleOf } from "../lib/colours.ts";
import { coloured, paintOver, pale } from "../lib/heat.ts";
import { type Buffer, bitmapsOf, type Grid, type Span } from "../lib/pixels.ts";
import type { Part } from "./payload.ts";

export interface Pictures {
  places?: Span[][];
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
    const { places = [], data } = pictures;
    const read = places.map(async (spans) => {
      const [image, ...thumbnails] = await bitmapsOf({ places: spans, data });
      return image ? { image, pale: pale(image), thumbnails } : null;
    });
    this.albums = (await Promise.all(read)).filter((album) => album !== null);
  }

  /** Paint one set's map of a concept on the whole canvas; the image where there is no map. */
  paint(canvas: HTMLCanvasElement, part: Part): void {
    const album = this.albums[part.set];
    if (!album) canvas.getContext("2d")?.clearRect(0, 0, canvas.width, canvas.height);
    else if (part.map) paintOver(canvas, album.pale, this.heat(part.map), OPACITY);
    else paintOver(canvas, album.image, null, OPACITY);
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
    const canvas = coloured(map, scaleOf(map).strongest);
    this.heats.set(map, canvas);
    return canvas;
  }
}
