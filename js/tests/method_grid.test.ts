import { describe, expect, it } from "vitest";
import { moved } from "../src/lib/cells.ts";
import { decodeMaps } from "../src/lib/pixels.ts";
import {
  columnWords,
  facts,
  type MethodPayload,
  mapAt,
  namedSo,
  pictured,
  reasonAt,
  rowWords,
  spoken,
  strongest,
  summary,
  weakness,
} from "../src/method_grid/sheet.ts";
import { WORDS } from "./lib/words_of_trust.ts";

const named = (index: number, name: string) => ({ index, name, probability: 0.6, logit: 1 });
const sheet: MethodPayload = {
  model: "Net",
  methods: ["CHIP", "Grad-CAM", "gradient"],
  layers: ["conv5", "conv5", ""],
  targets: ["dog", "cat"],
  indices: [3, 4],
  named: [named(3, "dog"), named(3, "dog")],
  likely: [0.6, 0.2],
  sizes: [
    [8, 8],
    [8, 12],
  ],
  pictures: {},
  places: [
    [0, 0],
    [0, 2],
    [1, 0],
    [1, 1],
  ],
  of: ["conv5", "", "conv5", "conv5"],
  grids: [
    [1, 1],
    [8, 8],
    [1, 1],
    [1, 2],
  ],
  high: [4, 9, 1, 0],
  low: [0, 0, -6, -2],
  remarks: [["own"], [], [], ["all know"]],
  drawn: {
    places: [
      [0, 0],
      [0, 5],
      [5, 0],
      [5, 0],
    ],
  },
  gaps: [
    [0, 1],
    [1, 2],
  ],
  reasons: ["No layer.", "Stopped."],
  notes: ["all know"],
  extent: [
    [1, 1],
    [0, 0],
    [1, 1],
    [1, 2],
  ],
  zero: [0, 0, 6, 2],
  step: [1, 1, 1, 1],
  data: new Uint8Array([4, 7, 0, 2]),
};
const at = (row: number, column: number) => ({ row, column });

describe("images by methods", () => {
  it("have a map or a reason in every cell", () => {
    expect(mapAt(sheet, at(1, 0))).toBe(2);
    expect(mapAt(sheet, at(0, 1))).toBe(-1);
    expect(reasonAt(sheet, at(0, 1))).toBe("No layer.");
    expect(reasonAt(sheet, at(1, 0))).toBe("");
    expect(decodeMaps(sheet).map(({ values }) => [...values])).toEqual([[4], [], [1], [-2, 0]]);
  });

  it("share a scale by map, by row or by column; pictures have none", () => {
    expect(pictured(sheet, 1)).toBe(true);
    expect(strongest(sheet, 2, "map", false)).toBe(1);
    expect(strongest(sheet, 2, "map", true)).toBe(6);
    expect(strongest(sheet, 2, "column", false)).toBe(4);
    expect(strongest(sheet, 3, "row", false)).toBe(1);
    expect(strongest(sheet, 0, "row", false)).toBe(4); // not the gradient's 9
    expect(strongest(sheet, 3, "map", false)).toBe(1); // where all is zero
  });

  it("are weak beside the strongest of their column, on a scale of their own", () => {
    expect(weakness(WORDS, sheet, 2, "map", false)).toBe("25 % as strong as the strongest");
    expect(weakness(WORDS, sheet, 2, "map", true)).toBe("");
    expect(weakness(WORDS, sheet, 2, "column", false)).toBe("");
    expect(weakness(WORDS, sheet, 1, "map", false)).toBe("");
    expect(weakness(WORDS, sheet, -1, "map", false)).toBe("");
  });

  it("say in words what they are", () => {
    expect(namedSo(sheet, 0)).toBe(true);
    expect(rowWords(sheet, 0)).toBe("dog (60 %)");
    expect(rowWords(sheet, 1)).toBe("cat (20 %), named dog (60 %)");
    expect(columnWords(sheet, 0)).toBe("CHIP at conv5");
    expect(columnWords(sheet, 2)).toBe("gradient");
    expect(summary(sheet, 1)).toBe(
      "2 rows, 3 columns; 2 of 6 empty; 1 weak beside others of the column",
    );
    expect(facts(sheet, at(0, 0), "")).toEqual([
      "At conv5: 1 × 1 cells.",
      "Largest value 4.",
      "own",
    ]);
    expect(facts(sheet, at(1, 0), "25 % as strong as the strongest")).toEqual([
      "At conv5: 1 × 1 cells.",
      "Largest value 1, lowest −6.",
      "It is 25 % as strong as the strongest of its column.",
    ]);
    expect(facts(sheet, at(0, 2), "")).toEqual(["At the pixels: 8 × 8.", "Largest value 9."]);
    expect(facts(sheet, at(1, 1), "")).toEqual([
      "At conv5: 1 × 2 cells.",
      "Nothing in it speaks for the class.",
    ]);
    expect(facts(sheet, at(0, 1), "")).toEqual(["No map: No layer."]);
    expect(spoken(sheet, at(0, 1), "")).toBe("Grad-CAM at conv5, dog (60 %): no map. No layer.");
    expect(spoken(sheet, at(1, 0), "weak")).toBe(
      "CHIP at conv5, cat (20 %), named dog (60 %): up to 1, weak",
    );
  });

  it("are walked through by rows and columns", () => {
    const shape = { rows: 2, columns: 3 };
    expect(moved(at(0, 2), "ArrowRight", shape)).toEqual(at(0, 2));
    expect(moved(at(0, 2), "ArrowDown", shape)).toEqual(at(1, 2));
    expect(moved(at(1, 1), "Home", shape)).toEqual(at(1, 0));
    expect(moved(at(1, 1), "End", shape)).toEqual(at(1, 2));
    expect(moved(at(1, 1), "PageUp", shape)).toEqual(at(0, 1));
    expect(moved(at(0, 1), "x", shape)).toBeNull();
  });
});
