import { describe, expect, it } from "vitest";
import { fitting, include, leash, reveal, zoomAt } from "../../src/lib/plane.ts";

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
});
