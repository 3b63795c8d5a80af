import { describe, expect, it } from "vitest";
import { counted, listed, number, percent, shortened } from "../../src/lib/words.ts";

describe("words", () => {
  it("write numbers as one reads them", () => {
    expect([0, 12345, 123.4, 9.404, 0.0512, -0.31, 2e-7].map(number)).toEqual([
      "0",
      "12345",
      "123",
      "9.4",
      "0.051",
      "−0.31",
      "2.0e−7",
    ]);
    expect([0, 0.034, 0.42, 1].map(percent)).toEqual(["0 %", "3.4 %", "42 %", "100 %"]);
    expect(percent(0.0001)).toBe("< 0.1 %");
    expect([-1.528, -0.034, -0.0001].map(percent)).toEqual(["−153 %", "−3.4 %", "> −0.1 %"]);
  });

  it("shorten names in their middle, to as many letters as have room", () => {
    expect(shortened("tench", 8)).toBe("tench");
    expect(shortened("flat-coated_retriever", 15)).toBe("flat-co…triever");
    expect(shortened("flat-coated_retriever", 4)).toBe("fl…r");
    for (let most = 1; most < 24; most++)
      expect(shortened("flat-coated_retriever", most).length).toBeLessThanOrEqual(
        Math.max(2, most),
      );
  });

  it("list names as one says them", () => {
    expect([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(listed)).toEqual([
      "",
      "a",
      "a and b",
      "a, b and c",
    ]);
  });

  it("count one thing and several", () => {
    expect([counted(1, "image"), counted(3, "image")]).toEqual(["1 image", "3 images"]);
  });
});
