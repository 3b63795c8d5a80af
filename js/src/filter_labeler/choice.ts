// Which filters are shown, in which order, and which one comes next: pure functions of the names.
import { type SheetPayload, silent, suggestion } from "./payload.ts";

/** Names by number; an empty name says that a filter answers to no part. */
export type Names = Readonly<Record<string, string>>;

export const NO_PART = "";
const OF_PART = "part:";

export function partChoice(name: string): string {
  return OF_PART + name;
}

export function partOf(choice: string): string | null {
  return choice.startsWith(OF_PART) ? choice.slice(OF_PART.length) : null;
}

/** The filters that a choice shows; suggestions with the largest overlap first. */
export function shownFilters(sheet: SheetPayload, names: Names, choice: string): number[] {
  const every = sheet.shown.map((_, k) => k);
  const part = partOf(choice);
  if (part !== null) return every.filter((k) => names[k] === part);
  if (choice === "without") return every.filter((k) => names[k] === NO_PART);
  if (choice === "unnamed") return every.filter((k) => open(sheet, names, k));
  if (choice !== "suggested") return every;
  const iou = (k: number) => suggestion(sheet, k)?.iou ?? 0;
  return every
    .filter((k) => open(sheet, names, k) && iou(k) > 0)
    .sort((a, b) => iou(b) - iou(a) || a - b);
}

/** Whether a filter fires and nobody has said what it answers to. */
export function open(sheet: SheetPayload, names: Names, filter: number): boolean {
  return names[filter] === undefined && !silent(sheet, filter);
}

interface Progress {
  readonly named: number;
  readonly without: number;
  readonly silent: number;
  /** Filters that fire. */
  readonly of: number;
}

export function progress(sheet: SheetPayload, names: Names): Progress {
  const given = Object.values(names);
  const quiet = sheet.shown.filter((images) => images.length === 0).length;
  return {
    named: given.filter((name) => name !== NO_PART).length,
    without: given.filter((name) => name === NO_PART).length,
    silent: quiet,
    of: sheet.shown.length - quiet,
  };
}

/** The next filter without an answer in the order shown, from the start again at its end. */
export function nextOpen(
  sheet: SheetPayload,
  names: Names,
  order: readonly number[],
  from: number,
  step: 1 | -1 = 1,
): number | null {
  const at = order.indexOf(from);
  const start = at < 0 ? (step > 0 ? -1 : order.length) : at;
  for (let i = 1; i <= order.length; i++) {
    const k = order[(start + step * i + 2 * order.length) % order.length] as number;
    if (k !== from && open(sheet, names, k)) return k;
  }
  return null;
}

/** Parts in use with how many filters each has, by name. */
export function partsInUse(names: Names): [name: string, count: number][] {
  const counts = new Map<string, number>();
  for (const name of Object.values(names))
    if (name !== NO_PART) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a.localeCompare(b));
}

/** What can be completed: names in use first, then the labelled parts. */
export function vocabulary(sheet: SheetPayload, names: Names): string[] {
  return [...new Set([...partsInUse(names).map(([name]) => name), ...sheet.parts])];
}
