import { describe, expect, it } from "vitest";
import { cropBox, mapBox, union } from "../../src/decomposition_tree/crop.ts";
import {
  bounds,
  linkPath,
  linkWidth,
  type Place,
  placeOf,
} from "../../src/decomposition_tree/geometry.ts";
import { type Branch, layoutSlots } from "../../src/lib/slots.ts";
import { fitting, include, leash, reveal, zoomAt } from "../../src/lib/transform.ts";

function branch(key: string, children: Branch[] = [], size = 1): Branch {
  return { key, children, size };
}

function full(depth: number, key = "r"): Branch {
  const children = depth === 0 ? [] : [0, 1, 2].map((i) => full(depth - 1, `${key}.${i}`));
  return branch(key, children);
}

function overlap(a: Place, b: Place): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

describe("slots", () => {
  it("place 121 nodes in both directions without one overlap", () => {
    const slots = [...layoutSlots(full(4)).values()];
    expect(slots).toHaveLength(121);
    for (const direction of ["right", "down"] as const) {
      const places = slots.map((slot) => placeOf(slot, direction));
      const overlaps = places.flatMap((a, i) => places.slice(i + 1).filter((b) => overlap(a, b)));
      expect(overlaps).toEqual([]);
    }
  });

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

describe("links", () => {
  const parent = { x: 0, y: 0, width: 92, height: 126 };

  it("go straight to a child in the same line", () => {
    const child = { x: 142, y: 0, width: 92, height: 126 };
    expect(linkPath(parent, child, "right")).toBe("M92,46C117,46 117,46 142,46");
  });

  it("leave below and arrive above where the tree grows down", () => {
    const child = { x: 110, y: 182, width: 92, height: 126 };
    expect(linkPath(parent, child, "down")).toBe("M46,126C46,154 156,154 156,182");
  });

  it("are wider for a larger share, and never gone", () => {
    expect(linkWidth(0)).toBeGreaterThan(1);
    expect(linkWidth(0.6) - linkWidth(0.3)).toBeCloseTo(linkWidth(0.3) - linkWidth(0));
    expect(linkWidth(7)).toBe(linkWidth(1));
  });
});

describe("the plane", () => {
  const window = { width: 800, height: 400 };

  it("fits all into the window with a margin", () => {
    const box = { x: -50, y: 10, width: 1600, height: 300 };
    const { x, y, k } = fitting(box, window, 20, 0.1, 2);
    expect(box.x * k + x).toBeGreaterThanOrEqual(20 - 1e-9);
    expect((box.x + box.width) * k + x).toBeLessThanOrEqual(780 + 1e-9);
    expect((box.y + box.height) * k + y).toBeLessThanOrEqual(380 + 1e-9);
  });

  it("starts at the beginning where it must stay larger than the window", () => {
    const { x, y, k } = fitting({ x: 0, y: 0, width: 700, height: 9000 }, window, 20, 0.5, 2);
    expect([k, y]).toEqual([0.5, 20]);
    expect(x).toBe(225);
  });

  it("keeps the point under the pointer while zooming", () => {
    const before = { x: 30, y: -40, k: 0.8 };
    const after = zoomAt(before, 200, 100, 1.5);
    expect((200 - after.x) / after.k).toBeCloseTo((200 - before.x) / before.k);
    expect((100 - after.y) / after.k).toBeCloseTo((100 - before.y) / before.k);
  });

  it("does not move for what is in the window already", () => {
    const now = { x: 0, y: 0, k: 1 };
    expect(reveal(now, { x: 100, y: 100, width: 92, height: 126 }, window, 18)).toEqual(now);
  });

  it("moves just enough for what is outside", () => {
    const moved = reveal({ x: 0, y: 0, k: 1 }, { x: 900, y: 0, width: 92, height: 92 }, window, 0);
    expect(moved.x).toBe(800 - 992);
  });

  it("zooms out for a path that does not fit, but not beyond reading", () => {
    const now = { x: 0, y: 0, k: 1 };
    const path = { x: 0, y: 0, width: 600, height: 500 };
    expect(include(now, path, window, 0, 0.6).k).toBeCloseTo(0.8);
    expect(include(now, { ...path, height: 5000 }, window, 0, 0.6).k).toBe(1);
    expect(include(now, { ...path, height: 50 }, window, 0, 0.6)).toEqual(now);
  });

  it("never leaves the window empty", () => {
    const box = { x: 0, y: 0, width: 500, height: 500 };
    const held = leash({ x: 99999, y: -99999, k: 1 }, box, window);
    expect(held.x).toBeLessThan(800);
    expect(held.y).toBeGreaterThan(-500);
  });

  it("of nothing has no size", () => {
    expect(bounds([])).toEqual({ x: 0, y: 0, width: 0, height: 0 });
  });
});

describe("the part of the image in a tile", () => {
  it("is the whole image where the field is most of it", () => {
    expect(cropBox([10, 10, 200, 200], [224, 224])).toEqual([0, 0, 224, 224]);
  });

  it("is a square around a small field", () => {
    expect(cropBox([100, 90, 140, 120], [224, 224])).toEqual([100, 85, 140, 125]);
  });

  it("stays inside the image at its corner", () => {
    expect(cropBox([210, 0, 224, 14], [224, 224], 0.25)).toEqual([168, 0, 224, 56]);
  });

  it("is centred on an image that is no square", () => {
    expect(cropBox([0, 0, 300, 100], [100, 300])).toEqual([0, -100, 300, 200]);
  });

  it("is no smaller than a readable part of the image", () => {
    const [x0, , x1] = cropBox([100, 100, 103, 103], [224, 224]);
    expect(x1 - x0).toBeCloseTo(224 / 11);
  });

  it("holds the map's cells in image pixels", () => {
    expect(mapBox([2, 4], [2, 3], [14, 14], [224, 224])).toEqual([64, 32, 112, 64]);
    expect(union([0, 0, 4, 4], [2, 2, 9, 3])).toEqual([0, 0, 9, 4]);
  });
});
