// What the brush says: who is named, how the scores moved, where the brush is.

import type { Prediction } from "../lib/evidence.ts";
import { number, percent } from "../lib/words.ts";
import type { Cell } from "./mask.ts";
import type { Scores } from "./session.ts";

export const FILLS: Record<string, string> = { mean: "Mean colour", blur: "Blur" };

export const KEYS =
  "Arrow keys move the brush, with Shift further; Space covers; plus and minus change its size; " +
  "Ctrl+Z takes back; Delete clears.";

const likely = ({ name, probability }: Prediction) => `${name} (${percent(probability)})`;

/** Who is named, before anything is covered or with a share of the image covered. */
export function verdict(start: Scores, now: Scores | null, share: number, rightly = false): string {
  if (!now) return `Named ${likely(start.named)}. Draw over the image to cover a region.`;
  const same = now.named.index === start.named.index;
  const right = !rightly && now.named.index === start.right.index;
  const word = same ? "still named" : right ? "rightly named" : "named";
  return `With ${percent(share)} covered it is ${word} ${likely(now.named)}.`;
}

/** A class's probability and logit, and what they were before. */
export function moved(start: Prediction, now: Prediction | null): string {
  const both = (from: string, to: string | null) =>
    to === null || to === from ? from : `${from} → ${to}`;
  const chance = both(percent(start.probability), now && percent(now.probability));
  const logit = (value: number) => number(Number(value.toFixed(2)));
  return `${chance}, logit ${both(logit(start.logit), now && logit(now.logit))}`;
}

export function where({ row, column }: Cell, covered: boolean): string {
  return `row ${row + 1}, column ${column + 1}${covered ? ", covered" : ""}`;
}
