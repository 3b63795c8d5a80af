import { describe, expect, it } from "vitest";
import { HEAT, heat, heatGradient, heatIndex, scaleOf } from "../../src/lib/colours.ts";

describe("heat", () => {
  const luminance = ([r, g, b]: readonly number[]) =>
    0.2126 * (r as number) + 0.7152 * (g as number) + 0.0722 * (b as number);

  it("is transparent at zero, and never hides the image", () => {
    expect([heat(0)[3], heat(1)[3], heat(-1)[3]]).toEqual([0, 217, 217]);
  });

  it("grows lighter with every step, for and against", () => {
    for (const sign of [1, -1]) {
      const steps = Array.from({ length: 50 }, (_, i) => luminance(heat((sign * (i + 1)) / 50)));
      expect(steps).toEqual([...steps].sort((a, b) => a - b));
    }
  });

  it("is warm for and blue against", () => {
    expect(heat(0.6)[0]).toBeGreaterThan(heat(0.6)[2]);
    expect(heat(-0.6)[2]).toBeGreaterThan(heat(-0.6)[0]);
  });

  it("is the same from its table, and values beyond the ends are the ends", () => {
    for (const value of [-1, -0.2, 0, 0.6, 1]) {
      const from = heatIndex(value);
      expect([...HEAT.slice(from, from + 4)]).toEqual([...heat(value)]);
    }
    expect(heatIndex(9)).toBe(heatIndex(1));
    expect(heatIndex(-9)).toBe(0);
  });

  it("has a scale that goes through zero", () => {
    expect(heatGradient(-1, 1)).toContain("/ 0%");
  });
});

const grid = (...values: number[]) => ({
  height: 1,
  width: values.length,
  values: Float32Array.from(values),
});

describe("the colours of a map", () => {
  it("is strongest at its largest value of either sign", () => {
    expect(scaleOf(grid(-3, 0, 2))).toEqual({ low: -3, high: 2, strongest: 3 });
  });

  it("has a scale where all of it is zero", () => {
    expect(scaleOf(grid(0, 0)).strongest).toBe(1);
  });
});
