// What a check against ablation says, and how far it is to be trusted.
import { describe, expect, it } from "vitest";
import { type Check, told, verdict } from "../src/lib/checks.ts";

const check = (more: Partial<Check>): Check => ({ r: 1, count: 4, parts: "concepts", ...more });
const wording = { advice: "these contributions" };

describe("a good correlation", () => {
  it("is marked as good where nothing speaks against it", () => {
    expect(verdict(check({ caution: "" }))).toBe("good");
    expect(told(check({}), wording)).toBe("agrees with ablation: r = 1.00 (4 concepts)");
  });

  it("is none of few parts, or of one that decides, and says so in the kernel's words", () => {
    const few = check({ caution: ", of too few to tell" });
    expect(verdict(few)).toBe("fair");
    expect(told(few, wording)).toBe(
      "agrees with ablation: r = 1.00 (4 concepts), of too few to tell",
    );
  });
});
