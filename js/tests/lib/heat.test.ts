import { describe, expect, it } from "vitest";
import { spread } from "../../src/lib/heat.ts";

const grid = (values: number[], width = values.length) => ({
  height: values.length / width,
  width,
  values: Float32Array.from(values),
});

describe("a map as heat", () => {
  it("is spread over pixels, held at the centres of its outer cells", () => {
    const { rows, columns } = spread(grid([1, 2]), 1, 4);
    expect([...rows]).toEqual([0.5]);
    expect([...columns]).toEqual([0.5, 0.75, 1.25, 1.5]);
  });
});
