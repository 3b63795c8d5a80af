// What the view is told of localisation, how methods are ordered, and how figures are written.
import type { Files } from "../lib/pixels.ts";
import { percent } from "../lib/words.ts";

/** Mean and standard error, null where nothing is known of them. */
export type Figure = readonly [mean: number | null, error: number | null];
export type Rectangle = readonly [x0: number, y0: number, x1: number, y1: number];

export interface MethodRow {
  name: string;
  /** What the method is, however it was named. */
  kind: string;
  layer: string;
  simple: boolean;
  threshold: number;
  reason: string;
  images: number;
  figures: Figure[];
  differences: Figure[];
  counts: boolean[];
}

export interface ReportPayload {
  measures: string[];
  /** Of so many of the first measures less is better. */
  errors: number;
  methods: MethodRow[];
  reference: number;
  images: number;
  verdict: string;
  facts: string;
  places: number[];
  named: string[];
  masked: boolean[];
  sizes: [height: number, width: number][];
  boxes: Rectangle[][];
  answered: boolean[][];
  ious: number[][];
  truths: [picture: number, ...box: Rectangle][];
  pictures: Files;
  model: string;
  notes: string[];
}

/** What a measure means. */
export const ABOUT: Record<string, string> = {
  "top-1 error": "the class is not named first, or its box has an IoU of a half or less",
  "top-5 error": "the class is not among the first five, or its box has an IoU of a half or less",
  "IoU > 0.5": "images whose region shares more than half of its union with the truth",
  "mean IoU": "shared area over the union of both, in the mean",
  "pointing game": "images where the map is strongest on the truth; for the whole image, by chance",
  "energy inside": "share of what is positive in the map that lies on the truth",
};

/** Methods by a measure, the best first; those without an answer last. */
export function ordered({ methods, errors }: ReportPayload, measure: number): number[] {
  const sign = measure < errors ? 1 : -1;
  const value = (m: number) => methods[m]?.figures[measure]?.[0] ?? null;
  return methods
    .map((_, m) => m)
    .sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === null || other === null) return Number(one === null) - Number(other === null);
      return sign * (one - other) || a - b;
    });
}

/** A figure of a measure: an IoU as such, shares in hundredths. */
export function figureWords(measure: string, [mean, error]: Figure): string {
  if (mean === null) return "–";
  if (measure === "mean IoU")
    return error === null ? mean.toFixed(2) : `${mean.toFixed(2)} ± ${error.toFixed(2)}`;
  return error === null ? percent(mean) : `${percent(mean)} ± ${points(error)}`;
}

/** A difference to the reference, with its sign. */
export function differenceWords(measure: string, [mean, error]: Figure): string {
  if (mean === null || error === null) return "–";
  const sign = mean < 0 ? "−" : "+";
  const size = Math.abs(mean);
  return measure === "mean IoU"
    ? `${sign}${size.toFixed(2)} ± ${error.toFixed(2)}`
    : `${sign}${points(size)} ± ${points(error)}`;
}

function points(share: number): string {
  const value = 100 * share;
  return value >= 0.95 || value === 0 ? value.toFixed(0) : value.toFixed(1);
}

/** The true boxes of an image that is shown. */
export function truthsOf({ truths }: ReportPayload, picture: number): Rectangle[] {
  return truths.flatMap(([of, ...box]) => (of === picture ? [box as unknown as Rectangle] : []));
}

/** How a method did on an image that is shown, in words. */
export function outcome(payload: ReportPayload, method: number, picture: number): string {
  if (!payload.answered[method]?.[picture]) return "no map";
  const iou = payload.ious[method]?.[picture] ?? 0;
  const of = payload.masked[picture] ? " of the regions" : "";
  return `IoU ${iou.toFixed(2)}${of}, ${iou > 0.5 ? "found" : "missed"}`;
}

/** Where a method's map is taken from and cut off. */
export function sourceWords({ name, kind, layer, threshold, simple }: MethodRow): string {
  const what = kind !== name && kind !== "callable" && kind;
  const from = simple ? "knows nothing of the class" : layer && `map at ${layer}`;
  const high = kind === "HINT" ? "the way from its lowest to its highest value" : "its maximum";
  const cut = threshold > 0 && !simple && `cut off at ${percent(threshold)} of ${high}`;
  const size = simple && threshold > 0 && `${percent(1 - threshold)} of each side`;
  return [what, from, cut, size].filter(Boolean).join(", ");
}

export function isEmpty([x0, y0, x1, y1]: Rectangle): boolean {
  return x1 <= x0 || y1 <= y0;
}

/** A path along straight lines. */
export function pathOf(edges: readonly Rectangle[]): string {
  return edges.map(([x0, y0, x1, y1]) => `M${x0} ${y0}L${x1} ${y1}`).join("");
}
