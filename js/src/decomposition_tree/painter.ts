// Draws a node on a canvas: the image's crop, its activation map as heat, its guided picture.

import { scaleOf } from "../lib/colours.ts";
import { colouredAt, type Lines, lay, pale } from "../lib/heat.ts";
import { type Buffer, bitmapOf, bitmapsOf, held, type Span } from "../lib/pixels.ts";
import type { Box } from "./geometry.ts";
import type { TreeNode } from "./tree.ts";

/** What is painted over a crop of the image. */
export type Shown = "map" | "guided" | "image";

export interface Pictures {
  places?: Record<string, Span>;
  data?: Buffer;
}

export class Painter {
  private image: ImageBitmap | null = null;
  private pale: HTMLCanvasElement | null = null;
  private guided = new Map<string, ImageBitmap>();

  /** Read the image; whoever paints before paints no image. */
  async load(image: Buffer): Promise<void> {
    this.image = await bitmapOf(image);
    this.pale = pale(this.image);
  }

  /** Read those pictures that are new; those that have gone are let go. */
  async loadPictures(pictures: Pictures): Promise<void> {
    const { places = {}, data } = pictures;
    const read = await bitmapsOf({ places: Object.values(places), data });
    this.guided = new Map(Object.keys(places).map((key, i) => [key, read[i] as ImageBitmap]));
  }

  get ready(): boolean {
    return this.image !== null;
  }

  hasPicture(key: string): boolean {
    return this.guided.has(key);
  }

  /** Paint the node's own part of the image: its map's, or its unit's field. */
  paintCrop(canvas: HTMLCanvasElement, node: TreeNode, shown: Shown, opacity: number): void {
    const { crop, fieldCrop } = node.facts;
    this.paint(canvas, node, shown === "map" ? crop : fieldCrop, shown, opacity);
  }

  /** Paint `box` of the image with what is to be shown of the node. */
  paint(canvas: HTMLCanvasElement, node: TreeNode, box: Box, shown: Shown, opacity: number): void {
    const context = canvas.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const plain = shown !== "map" || !node.parent;
    this.paintImage(context, box, plain ? this.image : this.pale);
    const picture = shown === "guided" ? this.guided.get(node.key) : undefined;
    if (picture) this.paintPicture(context, box, node.facts.box, picture);
    if (shown !== "map" || !node.parent || !this.image) return;
    const lines = linesOf(node, box, canvas, this.image);
    lay(context, colouredAt(node.map, lines, scaleOf(node.map).strongest), opacity);
  }

  private paintImage(
    context: CanvasRenderingContext2D,
    box: Box,
    image: CanvasImageSource | null,
  ): void {
    if (!image || !this.image) return;
    const scale = context.canvas.width / (box[2] - box[0]);
    context.imageSmoothingEnabled = scale < 6; // beyond that the image's pixels are to be seen
    const { width, height } = this.image;
    context.drawImage(image, -box[0] * scale, -box[1] * scale, width * scale, height * scale);
  }

  private paintPicture(
    context: CanvasRenderingContext2D,
    box: Box,
    field: Box,
    picture: ImageBitmap,
  ): void {
    const scale = context.canvas.width / (box[2] - box[0]);
    // a tile shows the field alone; over the whole image a veil leaves the place to be seen
    const alone = field[2] - field[0] > 0.6 * (box[2] - box[0]);
    context.fillStyle = alone ? "rgb(128 128 128)" : "rgb(128 128 128 / 62%)";
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    context.imageSmoothingEnabled = scale < 6;
    const [x, y] = [(field[0] - box[0]) * scale, (field[1] - box[1]) * scale];
    context.drawImage(picture, x, y, (field[2] - field[0]) * scale, (field[3] - field[1]) * scale);
  }
}

/** Where in the map's cells the pixels of a canvas lie that shows `box` of the image. */
export function linesOf(
  { map, facts }: TreeNode,
  box: Box,
  canvas: { width: number; height: number },
  image: { width: number; height: number },
): Lines {
  const step = (box[2] - box[0]) / canvas.width;
  const line = (axis: 0 | 1, pixels: number, cells: number, end: number) => {
    const [low, high] = [facts.mapBox[axis], facts.mapBox[axis + 2] as number];
    return Float64Array.from({ length: pixels }, (_, i) => {
      const at = ((box[axis] + (i + 0.5) * step - low) * cells) / (high - low);
      // at the image's own border the last cells reach on, elsewhere a map fades to zero
      const beyond = at < -0.5 || at > cells + 0.5;
      return beyond ? Number.NaN : held(at, cells, low <= 0, high >= end);
    });
  };
  return {
    rows: line(1, canvas.height, map.height, image.height),
    columns: line(0, canvas.width, map.width, image.width),
  };
}
