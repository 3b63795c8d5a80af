// What is said of filters, on the screen and to a screen reader.
import { number, percent } from "../lib/words.ts";
import { type Names, NO_PART, progress } from "./choice.ts";
import { type SheetPayload, silent, suggestion } from "./payload.ts";

export const NONE = "no part";
const NEVER = "never fires";

/** What stands below a card's images. */
export function answer(
  sheet: SheetPayload,
  names: Names,
  filter: number,
): { words: string; kind: "named" | "without" | "silent" | "suggested" | "open" } {
  const name = names[filter];
  if (name === NO_PART) return { words: NONE, kind: "without" };
  if (name !== undefined) return { words: name, kind: "named" };
  if (silent(sheet, filter)) return { words: NEVER, kind: "silent" };
  const found = suggestion(sheet, filter);
  return found ? { words: `${found.part}?`, kind: "suggested" } : { words: "", kind: "open" };
}

/** One line for a screen reader. */
export function spoken(sheet: SheetPayload, names: Names, filter: number): string {
  const { words, kind } = answer(sheet, names, filter);
  const found = suggestion(sheet, filter);
  const said = {
    named: words,
    without: "answers to no part",
    silent: "never fires on these images",
    suggested: `unnamed, suggested ${found?.part}, IoU ${number(found?.iou ?? 0)}`,
    open: "unnamed",
  }[kind];
  return `Filter ${filter}: ${said}`;
}

export function told(sheet: SheetPayload, names: Names): string {
  const { named, without, silent: quiet, of } = progress(sheet, names);
  const more = [
    without > 0 && `${without} ${NONE}`,
    quiet > 0 && `${quiet} ${quiet === 1 ? "never fires" : "never fire"}`,
  ].filter(Boolean);
  return [`${named} of ${of} named`, ...more].join(" · ");
}

/** How many filters are suggested a part, and how many chance alone would give one. */
export function luck(sheet: SheetPayload): string {
  const filters = sheet.shown.length;
  const suggested = sheet.shown.filter((_, k) => suggestion(sheet, k)).length;
  if (sheet.best.every((found) => found.length === 0)) return "";
  const given = `${suggested} of ${filters} filters overlap a part with an IoU of ${sheet.least} or more`;
  if (sheet.lucky === null) return `${given}.`;
  return `${given}; with labels exchanged between images, ${sheet.lucky} (${percent(sheet.lucky / Math.max(1, filters))}) would by chance.`;
}
