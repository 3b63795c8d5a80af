import { describe, expect, it } from "vitest";
import {
  differenceWords,
  figureWords,
  isEmpty,
  type MethodRow,
  ordered,
  outcome,
  pathOf,
  type ReportPayload,
  sourceWords,
  truthsOf,
} from "../src/localization_report/report.ts";

function method(name: string, ...means: (number | null)[]): MethodRow {
  return {
    name,
    kind: "CHIP",
    layer: "7",
    simple: false,
    threshold: 0.2,
    reason: means[0] === null ? "no ReLU" : "",
    images: means[0] === null ? 0 : 9,
    figures: means.map((mean) => [mean, mean === null ? null : 0.05] as const),
    differences: means.map(() => [0, 0] as const),
    counts: means.map(() => false),
  };
}

const payload: ReportPayload = {
  measures: ["top-1 error", "IoU > 0.5", "mean IoU"],
  errors: 1,
  methods: [
    method("a", 0.5, 0.5, 0.4),
    method("none", null, null, null),
    method("b", 0.2, 0.8, 0.4),
    method("c", 0.9, 0.1, 0.6),
  ],
  reference: 0,
  images: 9,
  verdict: "",
  facts: "",
  places: [3, 7],
  named: ["tench", "hen"],
  masked: [false, true],
  sizes: [
    [20, 30],
    [20, 30],
  ],
  boxes: [],
  answered: [
    [true, true],
    [false, false],
  ],
  ious: [
    [0.5, 0.51],
    [0, 0],
  ],
  truths: [
    [0, 1, 2, 3, 4],
    [1, 5, 6, 7, 8],
    [0, 2, 2, 9, 9],
  ],
  pictures: {},
  model: "plain",
  notes: [],
};

describe("methods", () => {
  it("stand with the best first, of errors the smallest, those without an answer last", () => {
    expect(ordered(payload, 0)).toEqual([2, 0, 3, 1]);
    expect(ordered(payload, 1)).toEqual([2, 0, 3, 1]);
    expect(ordered(payload, 2)).toEqual([3, 0, 2, 1]);
  });

  it("say where their map is from", () => {
    const [one] = payload.methods as [MethodRow];
    expect(sourceWords(one)).toBe("CHIP, map at 7, cut off at 20 % of its maximum");
    expect(sourceWords({ ...one, name: "CHIP", layer: "", threshold: 0.05 })).toBe(
      "cut off at 5.0 % of its maximum",
    );
    expect(sourceWords({ ...one, kind: "a", simple: true, layer: "" })).toBe(
      "knows nothing of the class, 80 % of each side",
    );
    expect(sourceWords({ ...one, name: "HINT", kind: "HINT" })).toBe(
      "map at 7, cut off at 20 % of the way from its lowest to its highest value",
    );
  });
});

describe("figures", () => {
  it("are shares in hundredths, and IoUs as such", () => {
    expect(figureWords("IoU > 0.5", [0.564, 0.032])).toBe("56 % ± 3");
    expect(figureWords("IoU > 0.5", [0.625, 0.004])).toBe("63 % ± 0.4");
    expect(figureWords("mean IoU", [0.533, 0.02])).toBe("0.53 ± 0.02");
    expect(figureWords("mean IoU", [0.533, null])).toBe("0.53");
    expect(figureWords("IoU > 0.5", [null, null])).toBe("–");
  });

  it("have a sign where they are differences", () => {
    expect(differenceWords("IoU > 0.5", [0.026, 0.018])).toBe("+3 ± 2");
    expect(differenceWords("mean IoU", [-0.017, 0.007])).toBe("−0.02 ± 0.01");
    expect(differenceWords("IoU > 0.5", [-0.5, 0.04])).toBe("−50 ± 4");
    expect(differenceWords("IoU > 0.5", [0.1, null])).toBe("–");
  });
});

describe("an image", () => {
  it("is found where more than a half is shared", () => {
    expect(outcome(payload, 0, 0)).toBe("IoU 0.50, missed");
    expect(outcome(payload, 0, 1)).toBe("IoU 0.51 of the regions, found");
    expect(outcome(payload, 1, 0)).toBe("no map");
  });

  it("has its own true boxes", () => {
    expect(truthsOf(payload, 0)).toEqual([
      [1, 2, 3, 4],
      [2, 2, 9, 9],
    ]);
  });
});

describe("outlines", () => {
  it("are one path", () => {
    expect(
      pathOf([
        [0, 0, 2, 0],
        [2, 0, 2, 1],
      ]),
    ).toBe("M0 0L2 0M2 0L2 1");
  });

  it("of nothing are none", () => {
    expect(isEmpty([0, 0, 0, 0])).toBe(true);
    expect(isEmpty([0, 0, 1, 1])).toBe(false);
  });
});
