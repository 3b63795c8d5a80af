// How a person arranged the view. It lives in the model, so it is saved and shared by its views.
import { Arrangement } from "../lib/session.ts";
import type { Scale } from "./heat_grid.ts";
import type { Key } from "./sheet.ts";

export type Selected = [target: Key, layer: string];

export interface Saved {
  method?: string;
  classes?: Key[];
  scale?: Scale;
  opacity?: number;
  boxes?: boolean;
  signed?: boolean;
  selected?: Selected | null;
  pinned?: boolean;
}

export class MapArrangement extends Arrangement<Saved> {
  get method(): string {
    return this.saved.method ?? "";
  }

  get classes(): readonly Key[] {
    return this.saved.classes ?? [];
  }

  get scale(): Scale {
    return this.saved.scale ?? "map";
  }

  get opacity(): number {
    return this.saved.opacity ?? 0.9;
  }

  get boxes(): boolean {
    return this.saved.boxes ?? false;
  }

  get signed(): boolean {
    return this.saved.signed ?? false;
  }

  get selected(): Selected | null {
    return this.saved.selected ?? null;
  }

  get pinned(): boolean {
    return (this.saved.pinned ?? false) && this.selected !== null;
  }

  add(target: Key): void {
    if (!this.classes.includes(target)) this.change({ classes: [...this.classes, target] });
  }

  remove(target: Key): void {
    const selected = this.selected?.[0] === target ? null : this.selected;
    this.change({ classes: this.classes.filter((one) => one !== target), selected });
  }
}
