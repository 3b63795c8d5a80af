// What comes from the kernel: names in their order, numbers and sentences per image, maps.
import { decodeMaps, type Grid, type MapColumns, range } from "../lib/pixels.ts";
import type { Check } from "../lib/trust.ts";
import type { Sum } from "./waterfall.ts";

export interface Card extends Sum {
  probability: number | null;
  elements: string[];
  explained: string;
  warning: string;
  notes: string[];
  beside: string[];
  /** What the folded concepts' sum is made of; nothing where all have one sign. */
  folded: string;
  /** Places of the concepts in the pie, and what they add; the folded ones are at `shown`. */
  slices: [place: number, value: number][];
  entropies: string;
  /** Where Grad-CAM is strong, or why there is none. */
  attention: string;
  /** The share of the score's range that bias and concepts reach; null where it has none. */
  total?: number | null;
  /** How far contributions agree with ablation; null where concepts cannot be taken out. */
  check?: Check | null;
  baseline: Sum | null;
}

export interface Report {
  target: string;
  layer: string;
  kind: string;
  names: string[];
  shown: number;
  /** The place of what nobody named; reports of before do not say. */
  unnamed?: number | null;
  typical: string;
  notes: string[];
  images: Card[];
}

/** Grad-CAM of every image; null where it points at no place. */
export function attentionOf(payload: MapColumns): (Grid | null)[] {
  return mapsOf(payload, 0).map(([map]) => (map?.values.length ? map : null));
}

/** The strongest value of any of these maps, at which colours end; 1 where all are empty. */
export function strongestOf(maps: readonly (Grid | null)[]): number {
  const ends = maps.flatMap((map) => (map ? range(map).map(Math.abs) : []));
  return Math.max(0, ...ends) || 1;
}

/** The maps of every image, concepts in their order and then the folded ones. */
export function mapsOf(payload: MapColumns, concepts: number): Grid[][] {
  const found: Grid[][] = [];
  for (const [i, map] of decodeMaps(payload).entries()) {
    if (i % (concepts + 1) === 0) found.push([]);
    found.at(-1)?.push(map);
  }
  return found;
}
