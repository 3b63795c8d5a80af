// How far what a view says can be trusted: a sentence from one table, and the figures behind it. The
// table is the kernel's; it comes with the state of every view.
import type table from "../../../hexplain_widgets/widgets/_shared/agreement.json";
import { percent } from "./words.ts";

/** Thresholds, sentences and their table. */
export type Words = typeof table;
export type Kind = keyof Words["heads"];

/** What the kernel found when it removed the parts one by one. */
export interface Check {
  r: number | null;
  /** The same without the part furthest from the others; null where there is none. */
  rest?: number | null;
  /** Where `r` is a mean over images: the lowest of one. */
  least?: number;
  count: number;
  parts: string;
  seconds?: number;
  /** The figures in words. */
  lines?: string[];
}

/** What a sentence speaks of. */
export interface Wording {
  /** What may be trusted. */
  what: string;
  /** To what it belongs; nothing where that is the view itself. */
  subject?: string | undefined;
  whole?: string;
  they?: string;
  /** The sum of all contributions as a share of the whole; the share of them that is shown. */
  total?: number | null;
  shown?: number | null;
  measured?: boolean;
}

function verdict(words: Words, r: number): "good" | "fair" | "poor" {
  return r >= words.good ? "good" : r >= words.poor ? "fair" : "poor";
}

/** The row of the table: of few parts, or where one decides, a correlation is not good. */
export function kindOf(words: Words, check: Check | null, wording?: Wording): Kind {
  if (wording?.measured) return "measured";
  if (!check) return "unchecked";
  const { r, count, rest, least } = check;
  if (r === null) return "unknown";
  if (r < words.poor) return "poor";
  if (count < words.fewest) return "few";
  if (typeof rest === "number" && rest < words.poor) return "dominated";
  // a mean is no more than fair where one image is poor
  const low = least !== undefined && least < words.poor ? words.poor : 1;
  return verdict(words, Math.min(r, rest ?? 1, low));
}

/** How far contributions add up. */
export function completeness(words: Words, total?: number | null): keyof Words["tails"]["sure"] {
  if (typeof total !== "number") return "unknown";
  if (total < 0 || total > words.most) return "off";
  return total >= words.least ? "whole" : "part";
}

/** How far something can be trusted, in one sentence. */
export function sentence(words: Words, check: Check | null, wording: Wording): string {
  const kind = kindOf(words, check, wording);
  const { subject, total, shown } = wording;
  const side = words.sure.includes(kind) ? "sure" : "said";
  const some = typeof shown === "number" && shown < words.all ? "some" : "all";
  const tail = words.tails[side][completeness(words, total)][some];
  const said = filled(`${words.heads[kind]}${tail}.`, places(words, check, wording));
  return subject ? `${subject}: ${said}` : said.charAt(0).toUpperCase() + said.slice(1);
}

/** The numbers behind a sentence, and what they mean. */
export function behind(words: Words, check: Check | null, wording: Wording): string[] {
  const at = places(words, check, wording);
  const { total, shown, whole } = wording;
  return [
    ...(check?.lines ?? []),
    ...(typeof total === "number" ? [filled(words.sum, at)] : []),
    ...(typeof shown === "number" && whole ? [filled(words.shown, at)] : []),
    ...words.meaning.map((text) => filled(text, at)),
  ];
}

function places(words: Words, check: Check | null, wording: Wording): Record<string, string> {
  const { what, they = "together they", whole = "", total, shown } = wording;
  return {
    what,
    they,
    whole,
    count: String(check?.count ?? ""),
    parts: check?.parts ?? "parts",
    sum: percent(total ?? 0),
    shown: percent(shown ?? 0),
    good: String(words.good),
    poor: String(words.poor),
  };
}

/** A sentence with its places filled. */
export function filled(sentence: string, values: Readonly<Record<string, string>>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
}

export function time(seconds: number): string {
  if (seconds < 0.05) return "< 0.1 s";
  return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
}

/** How weak a map on its own scale is beside others, by their peaks; nothing where it is not. */
export function weakly(
  words: Words,
  peak: number | null | undefined,
  others: readonly (number | null | undefined)[],
): string {
  const most = Math.max(0, ...others.map((one) => one ?? 0));
  if (typeof peak !== "number" || most <= 0 || peak >= words.weak * most) return "";
  return filled(words.weakly, { share: percent(Math.max(0, peak) / most) });
}
