// A waterfall: from the bias through the concepts and the unexplained rest to the score.

/** What adds up to a score; `values` in the common order, `others` the sum from `shown` on. */
export interface Sum {
  readonly bias: number;
  readonly values: readonly number[];
  readonly others: number;
  readonly unexplained: number;
  readonly score: number;
}

type Kind = "bias" | "concept" | "others" | "unexplained" | "score";

/** One step: where it starts and ends on the scale; `place` is that of a concept. */
export interface Step {
  readonly kind: Kind;
  readonly place: number;
  readonly value: number;
  readonly from: number;
  readonly to: number;
}

export type Domain = readonly [low: number, high: number];

/** The steps from bias to score; concepts from `shown` on are one step, unless all of them are. */
export function steps(sum: Sum, shown: number): Step[] {
  const alone = sum.values.slice(0, shown);
  const folded = sum.values.length > alone.length;
  const parts: [Kind, number, number][] = [
    ["bias", -1, sum.bias],
    ...alone.map((value, place): [Kind, number, number] => ["concept", place, value]),
    ...(folded ? [["others", shown, sum.others] as [Kind, number, number]] : []),
    ["unexplained", -1, sum.unexplained],
  ];
  let at = 0;
  const found = parts.map(([kind, place, value]): Step => {
    const from = at;
    at += value;
    return { kind, place, value, from, to: at };
  });
  return [...found, { kind: "score", place: -1, value: sum.score, from: 0, to: sum.score }];
}

/** From the lowest to the highest place that any step reaches, zero inside. */
export function domainOf(all: readonly (readonly Step[])[]): Domain {
  let [low, high] = [0, 0];
  for (const { from, to } of all.flat()) {
    low = Math.min(low, from, to);
    high = Math.max(high, from, to);
  }
  return high > low ? [low, high] : [0, 1];
}

/** Where a value lies, as a part of the width. */
export function placeOf(value: number, [low, high]: Domain): number {
  return (value - low) / (high - low);
}

/** Start and length of a step, as parts of the width. */
export function spanOf(step: Step, domain: Domain): { start: number; length: number } {
  const [a, b] = [placeOf(step.from, domain), placeOf(step.to, domain)];
  return { start: Math.min(a, b), length: Math.abs(b - a) };
}

/** Round numbers inside the domain, zero among them, about `most` at most. */
export function ticksOf([low, high]: Domain, most: number): number[] {
  const rough = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = ([1, 2, 5, 10].find((n) => n * power >= rough * 0.999) ?? 10) * power;
  const [first, last] = [Math.ceil(low / size - 1e-9), Math.floor(high / size + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * size).toPrecision(12)),
  );
}
