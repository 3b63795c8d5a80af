// The filters as they come from the kernel.
import type { Layer } from "../lib/evidence.ts";
import type { Buffer } from "../lib/pixels.ts";

export interface SheetPayload {
  layer: Layer;
  model: string;
  network: string | null;
  format: number;
  longest: number;
  quantile: number;
  images: number;
  least: number;
  parts: string[];
  notes: string[];
  shown: number[][];
  values: number[][];
  /** What is to be known of the choice of each filter's images; sheets of before have none. */
  ranking?: string[];
  thresholds: number[];
  pictures: { places: [start: number, length: number][]; data: Buffer };
  side: number;
  masks: Buffer;
  best: [part: number, iou: number][][];
  chance: number[];
  lucky: number | null;
}

interface Suggestion {
  readonly part: string;
  readonly iou: number;
}

/** The parts that overlap a filter most, best first. */
export function offered(sheet: SheetPayload, filter: number): Suggestion[] {
  return (sheet.best[filter] ?? []).map(([part, iou]) => ({
    part: sheet.parts[part] as string,
    iou,
  }));
}

/** The part with the largest overlap, where it reaches the least that counts. */
export function suggestion(sheet: SheetPayload, filter: number): Suggestion | null {
  const first = offered(sheet, filter)[0];
  return first && first.iou >= sheet.least ? first : null;
}

/** Whether a filter has one value everywhere. */
export function silent(sheet: SheetPayload, filter: number): boolean {
  return (sheet.shown[filter]?.length ?? 0) === 0;
}

/** The place of each filter's first mask among all masks. */
export function firstMasks(sheet: SheetPayload): number[] {
  let at = 0;
  return sheet.shown.map(({ length }) => {
    at += length;
    return at - length;
  });
}

/** The names as the file that FilterLabels.load reads. */
export function labelsFile(sheet: SheetPayload, names: Readonly<Record<string, string>>): string {
  const numbers = Object.keys(names)
    .map(Number)
    .sort((a, b) => a - b);
  const value = {
    format: sheet.format,
    layer: sheet.layer.name,
    filters: sheet.shown.length,
    network: sheet.network,
    names: Object.fromEntries(numbers.filter((k) => names[k]).map((k) => [k, names[k]])),
    without: numbers.filter((k) => names[k] === ""),
  };
  return JSON.stringify(value, null, 1);
}
