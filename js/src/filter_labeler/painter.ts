// A filter's strongest images on a canvas: its region outlined, the rest dimmed.

import { bitmapOf, fileAt, type Span } from "../lib/pixels.ts";
import { outline, unpacked } from "./filter_grid.ts";
import { firstMasks } from "./payload.ts";
import type { Session } from "./session.ts";

const DIM = 118; // of 255, what is laid over all but the region

interface Region {
  readonly shade: HTMLCanvasElement;
  readonly edge: Path2D;
}

export class Painter {
  private readonly bitmaps = new Map<number, Promise<ImageBitmap>>();
  private readonly regions = new Map<number, Region | null>();
  private first: number[];

  constructor(private readonly session: Session) {
    this.first = firstMasks(session.sheet);
    session.on((change) => {
      if (change !== "pixels") return;
      this.first = firstMasks(session.sheet);
      this.bitmaps.clear();
      this.regions.clear();
    });
  }

  /** Draw one image of a filter into a square of a canvas. */
  async paint(
    context: CanvasRenderingContext2D,
    filter: number,
    i: number,
    [x, y, side]: readonly [number, number, number],
    stale: () => boolean,
  ): Promise<void> {
    const picture = this.session.sheet.shown[filter]?.[i];
    if (picture === undefined) return;
    const bitmap = await this.bitmap(picture);
    if (stale()) return;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, x, y, side, side);
    const region = this.region((this.first[filter] as number) + i);
    if (region) this.lay(context, region, x, y, side);
  }

  private lay(
    context: CanvasRenderingContext2D,
    { shade, edge }: Region,
    x: number,
    y: number,
    side: number,
  ): void {
    const own = this.session.sheet.side;
    context.drawImage(shade, x, y, side, side);
    context.save();
    context.beginPath();
    context.rect(x, y, side, side);
    context.clip();
    context.translate(x, y);
    context.scale(side / own, side / own);
    context.lineJoin = "round";
    context.lineCap = "round";
    const pixel = (own / side) * (context.canvas.width / context.canvas.clientWidth || 1);
    for (const [color, width] of [
      ["rgb(0 0 0 / 70%)", 3.4],
      ["#fff", 1.7],
    ] as const) {
      context.strokeStyle = color;
      context.lineWidth = width * pixel;
      context.stroke(edge);
    }
    context.restore();
  }

  private bitmap(picture: number): Promise<ImageBitmap> {
    let found = this.bitmaps.get(picture);
    if (!found) {
      const { places, data } = this.session.sheet.pictures;
      found = bitmapOf(fileAt(data, places[picture] as Span));
      this.bitmaps.set(picture, found);
    }
    return found;
  }

  private region(i: number): Region | null {
    const known = this.regions.get(i);
    if (known !== undefined) return known;
    if (this.session.masks.length === 0) return null;
    const made = regionOf(this.session.masks, i, this.session.sheet.side);
    this.regions.set(i, made);
    return made;
  }
}

function regionOf(masks: Uint8Array, i: number, side: number): Region | null {
  const mask = unpacked(masks, i, side);
  if (!mask.includes(1)) return null;
  const edge = new Path2D();
  for (const points of outline(mask, side)) {
    edge.moveTo(points[0] as number, points[1] as number);
    for (let i = 2; i < points.length; i += 2)
      edge.lineTo(points[i] as number, points[i + 1] as number);
    edge.closePath();
  }
  const shade = document.createElement("canvas");
  shade.width = side;
  shade.height = side;
  const pixels = new ImageData(side, side);
  for (let at = 0; at < mask.length; at++) pixels.data[4 * at + 3] = mask[at] ? 0 : DIM;
  shade.getContext("2d")?.putImageData(pixels, 0, 0);
  return { shade, edge };
}

/** Make a canvas as fine as the screen; the number of its pixels to one of the page. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number): number {
  const finer = Math.max(1, window.devicePixelRatio || 1);
  canvas.width = Math.round(width * finer);
  canvas.height = Math.round(height * finer);
  return finer;
}
