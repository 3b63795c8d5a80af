import { describe, expect, it } from "vitest";
import type { Fields, Kernel } from "../../src/lib/kernel.ts";
import { howFar, workOf } from "../../src/lib/view.ts";

const at = (news: Fields, elapsed = 0.4, left: number | null = null) => {
  const [heard, since] = [Date.now(), Date.now() - 1000 * elapsed];
  return { news: { ...news, left, heard }, since, busy: ["explain"] } as unknown as Kernel;
};

describe("how far the kernel is", () => {
  it("is not said at first, then for how long it has been at work", () => {
    expect(howFar(at({}))).toBe("");
    expect(howFar(at({}, 7.2))).toBe("7 s");
    expect(howFar(at({}, 200))).toBe("3 min");
  });

  it("is what it counted of how many, and what the rest will take", () => {
    const news = { done: 12, total: 62, unit: "concept" };
    expect(howFar(at(news))).toBe("12 of 62 concepts");
    expect(howFar(at(news, 3, 8.3))).toBe("12 of 62 concepts, about 8 s left");
    expect(howFar(at(news, 3, -2))).toBe("12 of 62 concepts, about 1 s left");
    expect(howFar(at(news, 30, 240))).toBe("12 of 62 concepts, about 4 min left");
  });

  it("is a count where nobody knows of how many, and nothing where there is one thing", () => {
    expect(howFar(at({ done: 5, total: null, unit: "decision" }))).toBe("5 decisions");
    expect(howFar(at({ done: 1, total: null, unit: "decision" }))).toBe("");
    expect(howFar(at({ done: 0, total: 1, unit: "set" }))).toBe("");
  });
});

describe("what the kernel does", () => {
  it("is said in the view's words", () => {
    expect(workOf(at({}), { explain: "Inferring concepts" })).toBe("Inferring concepts");
    expect(workOf(at({}), {})).toBe("Working");
  });
});
