import { describe, expect, it } from "vitest";
import { type Branch, layoutSlots } from "../../src/lib/slots.ts";

function branch(key: string, children: Branch[] = [], size = 1): Branch {
  return { key, children, size };
}

function full(depth: number, key = "r"): Branch {
  const children = depth === 0 ? [] : [0, 1, 2].map((i) => full(depth - 1, `${key}.${i}`));
  return branch(key, children);
}

describe("slots", () => {
  it("keep the first children of all levels in one line", () => {
    const slots = layoutSlots(full(4));
    const line = ["r", "r.0", "r.0.0", "r.0.0.0", "r.0.0.0.0"].map((key) => slots.get(key)?.row);
    expect(new Set(line)).toEqual(new Set([0]));
  });

  it("put every parent in line with its first child", () => {
    const slots = layoutSlots(full(3));
    for (const [key, slot] of slots) {
      const child = slots.get(`${key}.0`);
      if (child) expect(child.row).toBeCloseTo(slot.row);
    }
  });

  it("keep the order of a level, so that no links cross", () => {
    const tree = branch("r", [
      branch("a", [branch("a0"), branch("a1")]),
      branch("b", [branch("b0")]),
    ]);
    const rows = ["a0", "a1", "b0"].map((key) => layoutSlots(tree).get(key)?.row as number);
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
  });

  it("let a closed sibling stand right below an open one", () => {
    const tree = branch("r", [
      branch("a", [branch("a0"), branch("a1"), branch("a2")]),
      branch("b"),
    ]);
    expect(layoutSlots(tree).get("b")?.row).toBe(1);
  });

  it("give a stub less room than a tile", () => {
    const tree = branch("r", [branch("a", [], 0.3), branch("b")]);
    expect(layoutSlots(tree).get("b")?.row).toBeCloseTo(0.3);
  });
});
