// The sentence of each cell of the table, as docs/trust.md shows it; the figures behind it.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { behind, type Check, kindOf, sentence, type Wording, weakly } from "../../src/lib/trust.ts";
import { WORDS } from "./words_of_trust.ts";

const PAGE = readFileSync(new URL("../../../docs/trust.md", import.meta.url), "utf8");
const check = (more: Partial<Check> = {}): Check => ({
  r: 0.9,
  rest: 0.85,
  count: 96,
  parts: "channels",
  ...more,
});
const CHECKS: Record<string, Check | null> = {
  measured: null,
  good: check(),
  fair: check({ r: 0.6, rest: 0.6 }),
  dominated: check({ rest: 0.2 }),
  few: check({ count: 4 }),
  poor: check({ r: -0.1, rest: -0.2 }),
  unknown: check({ r: null, rest: null }),
  unchecked: null,
};
const TOTALS: Record<string, number | null> = { whole: 0.97, part: 0.4, off: -0.9, unknown: null };
const SHOWN: Record<string, number | null> = { all: null, some: 0.12 };
const CELLS = [...PAGE.matchAll(/^\| (\w+) \| (\w+) \| (all|some) \| (.+) \|$/gm)].map(
  ([, ...cell]) => cell as [string, string, string, string],
);

const channels = (more: Partial<Wording> = {}): Wording => ({
  what: "the order of these channels",
  whole: "the decision",
  ...more,
});

describe("the table of sentences", () => {
  it("has a cell for each verdict, sum and share", () => {
    expect(CELLS).toHaveLength(8 * 4 * 2);
  });

  it.each(CELLS)("says of %s, %s, %s what the page says", (kind, total, shown, said) => {
    const wording = channels({
      total: TOTALS[total] ?? null,
      shown: SHOWN[shown] ?? null,
      measured: kind === "measured",
    });
    expect(sentence(WORDS, CHECKS[kind] ?? null, wording)).toBe(said);
  });

  it("turns at its bounds", () => {
    const kinds = (checks: Check[]) => checks.map((one) => kindOf(WORDS, one));
    const of = (r: number, rest: number, count = 5) => check({ r, rest, count });
    expect(kinds([of(0.8, 0.8), of(0.79, 0.8), of(0.8, 0.79), of(0.5, 0.5)])).toEqual([
      "good",
      "fair",
      "fair",
      "fair",
    ]);
    expect(kinds([of(0.49, 0.9), of(0.9, 0.49), of(0.9, 0.9, 4), of(0.49, 0.4, 4)])).toEqual([
      "poor",
      "dominated",
      "few",
      "poor",
    ]);
    const ends = [0.9, 0.89, 1.1, 1.11, -0.01].map((total) =>
      sentence(WORDS, check(), channels({ total })).replace(/.*; /, ""),
    );
    expect(ends[0]).toBe("together they account for 90 % of the decision.");
    expect(ends[1]).toBe(
      "together they account for 89 % of the decision, the rest is unexplained.",
    );
    expect(ends[2]).toBe("together they account for 110 % of the decision.");
    expect(ends[3]).toContain("do not add up to the decision: they make 111 % of it");
    expect(ends[4]).toContain("they make −1.0 % of it");
    const half = (shown: number) => sentence(WORDS, check(), channels({ total: 1, shown }));
    expect([half(0.9), half(0.89)].map((said) => said.includes("those shown"))).toEqual([
      false,
      true,
    ]);
  });

  it("is no more than fair of a mean that hides a poor image", () => {
    expect(kindOf(WORDS, check({ least: 0.3 }))).toBe("fair");
    expect(kindOf(WORDS, check({ least: 0.5 }))).toBe("good");
  });

  it("knows checks of before, that did not say what is left without the largest", () => {
    expect(kindOf(WORDS, { r: 0.9, count: 24, parts: "channels" })).toBe("good");
  });

  it("names what it speaks of", () => {
    expect(sentence(WORDS, check(), { what: "the order of its channels", subject: "lake" })).toBe(
      "lake: the order of its channels can be trusted.",
    );
  });
});

describe("a map on its own scale", () => {
  it("says how weak it is below a third of the strongest beside it", () => {
    expect(weakly(WORDS, 0.17, [0.17, null, 4.99])).toBe("3.4 % as strong as the strongest");
    expect([weakly(WORDS, 1.7, [5, 1.7]), weakly(WORDS, null, [5]), weakly(WORDS, 0, [0])]).toEqual(
      ["", "", ""],
    );
  });
});

describe("what stands behind the sentence", () => {
  it("is what the kernel says of the check, the sum, the share that is shown, and their meaning", () => {
    const lines = behind(
      WORDS,
      check({ lines: ["r = 0.90"] }),
      channels({ total: -0.901, shown: 0.12 }),
    );
    expect(lines.slice(0, 3)).toEqual([
      "r = 0.90",
      "all contributions together: −90 % of the decision",
      "those shown: 12 % of what adds to the decision",
    ]);
    expect(lines.join()).toContain("from 0.8 on the order can be trusted, below 0.5 it cannot");
  });
});
