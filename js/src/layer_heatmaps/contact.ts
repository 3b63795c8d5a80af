// What a contact sheet is told of its maps, which of them are shown, and what is said of one.
import type { Prediction } from "../lib/evidence.ts";
import type { Buffer, Files } from "../lib/pixels.ts";
import { type Words, weakly } from "../lib/trust.ts";
import { counted, number, percent } from "../lib/words.ts";

export type Show = "all" | "so" | "otherwise";

export interface ContactPayload {
  target: string;
  index: number;
  layer: string;
  method: string;
  /** How many other classes places are held against; null where a method cannot. */
  rivals: number | null;
  model: string;
  places: number[];
  sizes: [height: number, width: number][];
  named: Prediction[];
  likely: number[];
  high: number[];
  remarks: string[][];
  notes: string[];
  extent: [number, number][];
  zero: number[];
  step: number[];
  data: Buffer;
  pictures: Files;
}

/** Whether the network names an image by the class of the maps. */
export function namedSo({ named, index }: ContactPayload, i: number): boolean {
  return named[i]?.index === index;
}

/** The images that are shown, in the order of the data. */
export function shownOf(sheet: ContactPayload, show: Show): number[] {
  const all = sheet.places.map((_, i) => i);
  return show === "all" ? all : all.filter((i) => namedSo(sheet, i) === (show === "so"));
}

/** What the strongest colour stands for on one of the maps shown; 1 where nothing is positive. */
export function strongestOf(
  sheet: ContactPayload,
  i: number,
  shown: number[],
  own: boolean,
): number {
  const peers = own ? [i] : shown;
  return Math.max(0, ...peers.map((one) => sheet.high[one] ?? 0)) || 1;
}

/** How weak a map on its own scale is beside the others shown. */
export function weaknessOf(
  words: Words,
  sheet: ContactPayload,
  i: number,
  shown: number[],
): string {
  return weakly(
    words,
    sheet.high[i],
    shown.map((one) => sheet.high[one]),
  );
}

/** What the network names an image, in the words under it. */
export function namedWords(sheet: ContactPayload, i: number): string {
  return namedSo(sheet, i) ? "" : `named ${sheet.named[i]?.name}`;
}

/** How many of the images are named so. */
export function countWords(sheet: ContactPayload): string {
  const so = shownOf(sheet, "so").length;
  const all = sheet.places.length;
  if (so === all) return `${counted(all, "image")}, all named so`;
  return `${counted(all, "image")}, ${so} named so, ${all - so} otherwise`;
}

/** Everything that is known of one image and its map. */
export function facts(sheet: ContactPayload, i: number, weak: string): string {
  const named = sheet.named[i] as Prediction;
  const own = namedSo(sheet, i)
    ? `named ${named.name} (${percent(named.probability)})`
    : `named ${named.name} (${percent(named.probability)}), not ${sheet.target} (${percent(sheet.likely[i] as number)})`;
  const high = sheet.high[i] as number;
  const map = high > 0 ? `map up to ${number(high)}` : "nothing in it speaks for the class";
  const told = [`Image ${sheet.places[i]}: ${own}; ${map}`, weak, ...(sheet.remarks[i] ?? [])];
  return told.filter(Boolean).join(". ");
}

/** The place that a key leads to in a grid of so many columns; null for a key that moves nothing. */
export function stepped(at: number, key: string, count: number, columns: number): number | null {
  const to = {
    ArrowRight: at + 1,
    ArrowLeft: at - 1,
    ArrowDown: at + columns,
    ArrowUp: at - columns,
    Home: 0,
    End: count - 1,
  }[key];
  if (to === undefined) return null;
  return to < 0 || to >= count ? at : to;
}
