import { describe, expect, it } from "vitest";
import { find } from "../../src/lib/search.ts";

const MARKUP = "<img src=x onerror=alert(1)>";

describe("the search", () => {
  const names = ["house", "greenhouse", "house finch", MARKUP, "boathouse"];

  it("finds names that begin with what is typed before those that contain it", () => {
    expect(find(names, "HOUSE").map((one) => one.name)).toEqual([
      "house",
      "house finch",
      "greenhouse",
      "boathouse",
    ]);
  });

  it("takes a number for an index", () => {
    expect(find(names, "3")).toEqual([{ index: 3, name: MARKUP }]);
  });

  it("finds nothing for nothing, and no more than asked", () => {
    expect(find(names, "  ")).toEqual([]);
    expect(find(names, "o", 2)).toHaveLength(2);
  });

  it("takes a number for a part of a name where names have their own", () => {
    expect(find(["a", "b", "#12"], "1", 8, false)).toEqual([{ index: 2, name: "#12" }]);
  });
});
