// The state of the view of images by methods: what is arranged, and the maps as values.
import type { AnyModel } from "@anywidget/types";
import type { Place } from "../lib/cells.ts";
import { pale } from "../lib/heat.ts";
import { bitmapOf, decodeMaps, filesOf, type Grid } from "../lib/pixels.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import { type MethodPayload, mapAt, type Scale, weakness } from "./sheet.ts";

interface Saved {
  scale?: Scale;
  signed?: boolean;
  opacity?: number;
  size?: number;
  at?: [number, number];
}

export interface State extends ViewState {
  sheet: MethodPayload;
  view: Saved;
}

export const SIZE = { least: 72, most: 320, first: 124 };
const OPACITY = 0.9;

export class Session extends ViewSession<State, "arrangement" | "sheet" | "pictures"> {
  maps: Grid[] = [];
  /** By row: the image, and the ground of its maps. */
  images: { plain: ImageBitmap; pale: HTMLCanvasElement }[] = [];
  /** By map: the picture of one that has its own. */
  drawn: (ImageBitmap | null)[] = [];

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, "", "arrangement");
    this.follow("view", () => this.tell("arrangement"));
    this.follow("sheet", () => {
      this.decode();
      this.tell("sheet");
    });
    this.decode();
  }

  private decode(): void {
    this.maps = decodeMaps(this.sheet);
    this.images = [];
    this.drawn = [];
    void this.tellAfter(this.load(), "pictures");
  }

  private async load(): Promise<void> {
    const { pictures, drawn } = this.sheet;
    const plain = await Promise.all(filesOf(pictures).map(bitmapOf));
    this.images = plain.map((one) => ({ plain: one, pale: pale(one) }));
    const own = filesOf(drawn).map((file) => (file.length > 0 ? bitmapOf(file) : null));
    this.drawn = await Promise.all(own);
  }

  get sheet(): MethodPayload {
    return this.model.get("sheet");
  }

  get scale(): Scale {
    return this.saved.scale ?? "map";
  }

  get signed(): boolean {
    return this.saved.signed ?? false;
  }

  get opacity(): number {
    return this.saved.opacity ?? OPACITY;
  }

  get size(): number {
    return this.saved.size ?? SIZE.first;
  }

  get shape(): { rows: number; columns: number } {
    return { rows: this.sheet.targets.length, columns: this.sheet.methods.length };
  }

  /** The cell looked at. */
  get at(): Place {
    const { rows, columns } = this.shape;
    const [row, column] = this.saved.at ?? [0, 0];
    return row < rows && column < columns ? { row, column } : { row: 0, column: 0 };
  }

  look({ row, column }: Place): void {
    const { at } = this;
    if (at.row !== row || at.column !== column || !this.saved.at)
      this.arrange({ at: [row, column] });
  }

  weak(place: Place): string {
    return weakness(this.words, this.sheet, mapAt(this.sheet, place), this.scale, this.signed);
  }

  resize(by: number): void {
    this.arrange({ size: Math.min(SIZE.most, Math.max(SIZE.least, Math.round(this.size * by))) });
  }
}
