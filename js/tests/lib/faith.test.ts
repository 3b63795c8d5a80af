import { describe, expect, it } from "vitest";
import { type Check, lowest, told, verdict } from "../../src/lib/faith.ts";

const check = (r: number | null): Check => ({ r, count: 512, parts: "channels", seconds: 0.12 });
const OF_TREE = { advice: "these shares" };

describe("the line on faithfulness", () => {
  it("says how far a view agrees with ablation, over how many channels, and what it took", () => {
    expect(told(check(0.961), OF_TREE)).toBe(
      "agrees with ablation: r = 0.96 (512 channels, 0.1 s)",
    );
  });

  it("says over how many images both sides were averaged", () => {
    expect(told({ ...check(0.9), images: 8 }, OF_TREE)).toBe(
      "agrees with ablation: r = 0.90 (512 channels in 8 images, 0.1 s)",
    );
  });

  it("says in words what not to rely on where it agrees little", () => {
    expect(told(check(-0.12), OF_TREE)).toBe(
      "agrees poorly with ablation: r = −0.12 (512 channels, 0.1 s): do not rely on these shares",
    );
    expect(told(check(0.6), OF_TREE)).toContain("agrees in part with ablation");
  });

  it("gives a verdict at the bounds", () => {
    expect([1, 0.8, 0.79, 0.5, 0.49, -1, null].map((r) => verdict(check(r)))).toEqual([
      "good",
      "good",
      "fair",
      "fair",
      "poor",
      "poor",
      "unknown",
    ]);
  });

  it("does not invent a correlation where one side is constant", () => {
    expect(told(check(null), OF_TREE)).toBe(
      "cannot be compared with ablation: all 512 channels weigh the same",
    );
  });

  it("leaves out the time where nobody measured it, and names what it speaks of", () => {
    const saved = { r: 0.9, count: 24, parts: "channels" };
    expect(told(saved, { subject: "the gradient", advice: "it" })).toBe(
      "the gradient agrees with ablation: r = 0.90 (24 channels)",
    );
  });

  it("writes short and long times as one reads them", () => {
    expect(told({ ...check(1), seconds: 0.004 }, OF_TREE)).toContain("< 0.1 s");
    expect(told({ ...check(1), seconds: 12.3 }, OF_TREE)).toContain("12 s");
  });
});

describe("what agrees least", () => {
  const check = (r: number | null): Check => ({ r, count: 8, parts: "channels", seconds: 0.1 });
  const named = (name: string, r?: number | null) => ({
    name,
    check: r === undefined ? null : check(r),
  });

  it("is named among all", () => {
    const found = lowest([named("house", 0.9), named("lake", -0.2), named("park", 0.4)]);
    expect(found).toEqual({ check: check(-0.2), subject: "lake, the lowest of 3," });
  });

  it("is the lowest of those that were checked", () => {
    const found = lowest([named("house", 0.9), named("lake"), named("park", 0.4)]);
    expect(found?.subject).toBe("park, the lowest of the 2 checked,");
  });

  it("stands for itself where no other is known", () => {
    expect(lowest([named("house"), named("lake", 0.4)])?.subject).toBe("lake");
  });

  it("is none that cannot be compared, as long as others can", () => {
    expect(lowest([named("house", null), named("lake", 0.4)])?.check.r).toBe(0.4);
    expect(lowest([named("house", null)])?.check.r).toBeNull();
  });

  it("is nobody where nothing is known", () => {
    expect(lowest([named("house")])).toBeNull();
  });
});
