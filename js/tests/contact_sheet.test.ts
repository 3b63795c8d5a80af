import { describe, expect, it } from "vitest";
import {
  type ContactPayload,
  countWords,
  facts,
  namedWords,
  shownOf,
  stepped,
  strongestOf,
  weaknessOf,
} from "../src/layer_heatmaps/contact.ts";
import { decodeMaps } from "../src/lib/pixels.ts";
import { WORDS } from "./lib/words_of_trust.ts";

const named = (index: number, name: string) => ({ index, name, probability: 0.6, logit: 1 });
const sheet: ContactPayload = {
  target: "malamute",
  index: 2,
  layer: "conv5",
  method: "CHIP",
  rivals: 9,
  model: "Net",
  places: [0, 4, 5],
  sizes: [
    [8, 8],
    [8, 12],
    [8, 8],
  ],
  named: [named(2, "malamute"), named(7, "husky"), named(2, "malamute")],
  likely: [0.6, 0.25, 0.6],
  high: [4, 1, 0],
  remarks: [[], ["plain gradient"], []],
  notes: [],
  extent: [
    [1, 1],
    [1, 2],
    [1, 1],
  ],
  zero: [0, 1, 0],
  step: [0.5, 1, 1],
  data: new Uint8Array([8, 0, 2, 0]),
  pictures: {},
};

describe("the images of a contact sheet", () => {
  it("have their maps one after the other", () => {
    expect(decodeMaps(sheet).map(({ values }) => [...values])).toEqual([[4], [-1, 1], [0]]);
  });

  it("are all shown, or those named so, or those named otherwise", () => {
    expect(shownOf(sheet, "all")).toEqual([0, 1, 2]);
    expect(shownOf(sheet, "so")).toEqual([0, 2]);
    expect(shownOf(sheet, "otherwise")).toEqual([1]);
    expect(countWords(sheet)).toBe("3 images, 2 named so, 1 otherwise");
  });

  it("say in words what they are named, and which of the data they are", () => {
    expect(namedWords(sheet, 0)).toBe("");
    expect(namedWords(sheet, 1)).toBe("named husky");
    expect(facts(sheet, 1, "weak")).toBe(
      "Image 4: named husky (60 %), not malamute (25 %); map up to 1. weak. plain gradient",
    );
    expect(facts(sheet, 2, "")).toContain("nothing in it speaks for the class");
  });

  it("are weak beside the strongest of those shown", () => {
    expect(weaknessOf(WORDS, sheet, 1, [0, 1, 2])).toBe("25 % as strong as the strongest");
    expect(weaknessOf(WORDS, sheet, 1, [1])).toBe("");
    expect(strongestOf(sheet, 1, [0, 1], true)).toBe(1);
    expect(strongestOf(sheet, 1, [0, 1], false)).toBe(4);
    expect(strongestOf(sheet, 2, [2], true)).toBe(1);
  });

  it("are walked through by rows and columns", () => {
    expect(stepped(0, "ArrowDown", 7, 3)).toBe(3);
    expect(stepped(5, "ArrowDown", 7, 3)).toBe(5);
    expect(stepped(0, "ArrowLeft", 7, 3)).toBe(0);
    expect(stepped(2, "End", 7, 3)).toBe(6);
    expect(stepped(2, "x", 7, 3)).toBeNull();
  });
});
