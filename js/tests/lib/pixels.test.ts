import { describe, expect, it } from "vitest";
import {
  bytesOf,
  decodeMap,
  filesOf,
  floatsOf,
  held,
  range,
  valueAt,
} from "../../src/lib/pixels.ts";

describe("buffers", () => {
  const whole = Uint8Array.from([9, 9, 9, 1, 2, 3, 4, 9]).buffer;

  it("a view into a larger buffer keeps its own offset and length", () => {
    expect([...bytesOf(new DataView(whole, 3, 4))]).toEqual([1, 2, 3, 4]);
  });

  it("numbers that do not start at a multiple of four are copied", () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 2.5, true);
    new DataView(bytes.buffer).setFloat32(5, -7, true);
    expect([...floatsOf(new DataView(bytes.buffer, 1, 8))]).toEqual([2.5, -7]);
  });

  it("numbers that do are read in place", () => {
    const values = Float32Array.from([1, 2, 3]);
    expect([...floatsOf(new DataView(values.buffer, 4, 8))]).toEqual([2, 3]);
  });

  it("nothing is no bytes", () => {
    expect(bytesOf(null)).toHaveLength(0);
  });

  it("files lie one after the other", () => {
    const places = [
      [0, 2],
      [2, 1],
    ] as const;
    const found = filesOf({ places, data: Uint8Array.from([7, 8, 9]) });
    expect(found.map((bytes) => [...bytes])).toEqual([[7, 8], [9]]);
  });
});

describe("maps", () => {
  it("a byte is a number of steps from zero", () => {
    const grid = decodeMap(Uint8Array.from([7, 0, 10, 30, 255]), 1, [2, 2], 10, 0.5);
    expect([...grid.values]).toEqual([-5, 0, 10, 122.5]);
    expect(range(grid)).toEqual([-5, 122.5]);
  });

  it("a map that ends beyond the buffer is refused", () => {
    expect(() => decodeMap(new Uint8Array(3), 0, [2, 2], 0, 1)).toThrow("map ends at 4 of 3 bytes");
  });

  it("has its values at the centres of cells and their mean between", () => {
    const grid = { height: 1, width: 2, values: Float32Array.from([2, 6]) };
    expect(valueAt(grid, 0.5, 0.5)).toBe(2);
    expect(valueAt(grid, 0.5, 1.5)).toBe(6);
    expect(valueAt(grid, 0.5, 1)).toBe(4);
  });

  it("reaches on to the border of the image where its cells lie there", () => {
    expect([held(0.1, 7, true, true), held(6.9, 7, true, true)]).toEqual([0.5, 6.5]);
    expect([held(0.1, 7, false, true), held(6.9, 7, true, false)]).toEqual([0.1, 6.9]);
  });

  it("fades to zero outside", () => {
    const grid = { height: 1, width: 1, values: Float32Array.from([8]) };
    expect(valueAt(grid, 0.5, 1)).toBe(4);
    expect(valueAt(grid, 0.5, 2)).toBe(0);
  });
});
