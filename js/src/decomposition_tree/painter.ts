// Draws a node on a canvas: the image's crop, its activation map as heat, its guided picture.

import { HEAT, heatIndex } from "../lib/colormap.ts";
import { pale } from "../lib/pale.ts";
import { type Buffer, bytesOf, held, range, valueAt } from "../lib/pixels.ts";
import type { Shown } from "./arrangement.ts";
import type { Box } from "./crop.ts";
import type { TreeNode } from "./tree.ts";

export interface Pictures {
  places?: Record<string, [number, number]>;
  data?: Buffer;
}

export class Painter {
  private image: ImageBitmap | null = null;
  private pale: HTMLCanvasElement | null = null;
  private guided = new Map<string, ImageBitmap>();

  /** Read the image; whoever paints before paints no image. */
  async load(image: Buffer): Promise<void> {
    this.image = await createImageBitmap(new Blob([bytesOf(image)]));
    this.pale = pale(this.image);
  }

  /** Read those pictures that are new; those that have gone are let go. */
  async loadPictures(pictures: Pictures): Promise<void> {
    const bytes = bytesOf(pictures.data);
    const places = Object.entries(pictures.places ?? {});
    const read = places.map(async ([key, [start, length]]) => {
      const bitmap = await createImageBitmap(new Blob([bytes.slice(start, start + length)]));
      return [key, bitmap] as const;
    });
    this.guided = new Map(await Promise.all(read));
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
    if (shown === "map" && node.parent && this.image)
      paintMap(context, node, box, opacity, this.image);
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

/** The values of a map between -1 and 1, as far as its strongest cell. */
export function scaleOf(node: TreeNode): { low: number; high: number; strongest: number } {
  const [low, high] = range(node.map);
  const strongest = Math.max(-low, high) || 1;
  return { low, high, strongest };
}

function paintMap(
  context: CanvasRenderingContext2D,
  node: TreeNode,
  box: Box,
  opacity: number,
  image: { width: number; height: number },
): void {
  const { width, height } = context.canvas;
  const { strongest } = scaleOf(node);
  const layer = new OffscreenCanvas(width, height);
  const over = layer.getContext("2d");
  if (!over) return;
  const pixels = over.createImageData(width, height);
  const { mapBox } = node.facts;
  const [rows, columns] = [node.map.height, node.map.width];
  const perRow = rows / (mapBox[3] - mapBox[1]);
  const perColumn = columns / (mapBox[2] - mapBox[0]);
  const step = (box[2] - box[0]) / width;
  // at the image's own border the last cells reach on, elsewhere a map fades to zero
  const [left, top] = [mapBox[0] <= 0, mapBox[1] <= 0];
  const [right, bottom] = [mapBox[2] >= image.width, mapBox[3] >= image.height];
  const beyond = (at: number, cells: number) => at < -0.5 || at > cells + 0.5;
  for (let y = 0; y < height; y++) {
    const row = (box[1] + (y + 0.5) * step - mapBox[1]) * perRow;
    if (beyond(row, rows)) continue;
    const heldRow = held(row, rows, top, bottom);
    for (let x = 0; x < width; x++) {
      const column = (box[0] + (x + 0.5) * step - mapBox[0]) * perColumn;
      if (beyond(column, columns)) continue;
      const value = valueAt(node.map, heldRow, held(column, columns, left, right));
      const from = heatIndex(value / strongest);
      const to = 4 * (y * width + x);
      for (let i = 0; i < 4; i++) pixels.data[to + i] = HEAT[from + i] as number;
    }
  }
  over.putImageData(pixels, 0, 0);
  context.globalAlpha = opacity;
  context.drawImage(layer, 0, 0);
  context.globalAlpha = 1;
}
