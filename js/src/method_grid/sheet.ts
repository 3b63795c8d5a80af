// What the view is told of rows, columns and maps, and what it says of a cell.
import type { Place } from "../lib/cells.ts";
import type { Prediction } from "../lib/evidence.ts";
import type { Buffer, Files } from "../lib/pixels.ts";
import { type Words, weakly } from "../lib/trust.ts";
import { counted, number, percent } from "../lib/words.ts";

export type Scale = "map" | "row" | "column";
type At = readonly [row: number, column: number];

export interface MethodPayload {
  model: string;
  methods: string[];
  layers: string[];
  targets: string[];
  indices: number[];
  named: Prediction[];
  likely: number[];
  sizes: [height: number, width: number][];
  pictures: Files;
  places: At[];
  of: string[];
  grids: [number, number][];
  high: number[];
  low: number[];
  remarks: string[][];
  drawn: Files;
  gaps: At[];
  reasons: string[];
  notes: string[];
  extent: [number, number][];
  zero: number[];
  step: number[];
  data: Buffer;
}

const same =
  ({ row, column }: Place) =>
  ([r, c]: At) =>
    r === row && c === column;

/** The map of a cell, by its number; -1 where there is none. */
export function mapAt(sheet: MethodPayload, place: Place): number {
  return sheet.places.findIndex(same(place));
}

/** Why a cell is empty. */
export function reasonAt(sheet: MethodPayload, place: Place): string {
  return sheet.reasons[sheet.gaps.findIndex(same(place))] ?? "";
}

/** Whether a map is shown as a picture of its own, without a scale. */
export function pictured({ drawn }: MethodPayload, map: number): boolean {
  return (drawn.places?.[map]?.[1] ?? 0) > 0;
}

/** Whether the network names a row's image by the row's class. */
export function namedSo({ named, indices }: MethodPayload, row: number): boolean {
  return named[row]?.index === indices[row];
}

function strength({ high, low }: MethodPayload, map: number, signed: boolean): number {
  return Math.max(high[map] ?? 0, signed ? -(low[map] ?? 0) : 0);
}

/** The strengths of the maps that share a scale with one of them. */
function peers(sheet: MethodPayload, map: number, scale: Scale, signed: boolean): number[] {
  const [row, column] = sheet.places[map] as At;
  return sheet.places.flatMap(([r, c], other) => {
    const shares = scale === "row" ? r === row : c === column && (scale === "column" || r === row);
    return shares && !pictured(sheet, other) ? [strength(sheet, other, signed)] : [];
  });
}

/** What the strongest colour of a map stands for; 1 where all is zero. */
export function strongest(
  sheet: MethodPayload,
  map: number,
  scale: Scale,
  signed: boolean,
): number {
  return Math.max(0, ...peers(sheet, map, scale, signed)) || 1;
}

/** How weak a map on its own scale is beside those of its column; nothing where it is not. */
export function weakness(
  words: Words,
  sheet: MethodPayload,
  map: number,
  scale: Scale,
  signed: boolean,
): string {
  if (scale !== "map" || map < 0 || pictured(sheet, map)) return "";
  return weakly(words, strength(sheet, map, signed), peers(sheet, map, "column", signed));
}

/** How much there is, and what of it is missing or weak. */
export function summary(sheet: MethodPayload, weak: number): string {
  const { targets, methods, gaps } = sheet;
  const all = `${counted(targets.length, "row")}, ${counted(methods.length, "column")}`;
  const missing = gaps.length > 0 && `${gaps.length} of ${targets.length * methods.length} empty`;
  const faint = weak > 0 && `${weak} weak beside others of the column`;
  return [all, missing, faint].filter(Boolean).join("; ");
}

/** What the network says of a row's class, and what it names the image. */
export function rowWords(sheet: MethodPayload, row: number): string {
  const likely = percent(sheet.likely[row] as number);
  const named = sheet.named[row] as Prediction;
  const own = `${sheet.targets[row]} (${likely})`;
  return namedSo(sheet, row) ? own : `${own}, named ${named.name} (${percent(named.probability)})`;
}

export function columnWords({ methods, layers }: MethodPayload, column: number): string {
  const layer = layers[column];
  return layer ? `${methods[column]} at ${layer}` : (methods[column] as string);
}

function values(sheet: MethodPayload, map: number): string {
  const [high, low] = [sheet.high[map] as number, sheet.low[map] as number];
  if (high <= 0) return "Nothing in it speaks for the class.";
  return `Largest value ${number(high)}${low < 0 ? `, lowest ${number(low)}` : ""}.`;
}

/** What is known of a cell, in sentences. */
export function facts(sheet: MethodPayload, place: Place, weak: string): string[] {
  const map = mapAt(sheet, place);
  if (map < 0) return [`No map: ${reasonAt(sheet, place)}`];
  const size = (sheet.grids[map] as [number, number]).join(" × ");
  const where = sheet.of[map] ? `At ${sheet.of[map]}: ${size} cells.` : `At the pixels: ${size}.`;
  const faint = weak && `It is ${weak} of its column.`;
  const remarks = (sheet.remarks[map] ?? []).filter((one) => !sheet.notes.includes(one));
  return [where, values(sheet, map), faint, ...remarks].filter(Boolean);
}

/** One line for a screen reader, and under the pointer. */
export function spoken(sheet: MethodPayload, place: Place, weak: string): string {
  const head = `${columnWords(sheet, place.column)}, ${rowWords(sheet, place.row)}`;
  const map = mapAt(sheet, place);
  if (map < 0) return `${head}: no map. ${reasonAt(sheet, place)}`;
  return `${head}: up to ${number(sheet.high[map] as number)}${weak && `, ${weak}`}`;
}
