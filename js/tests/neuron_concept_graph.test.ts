import { describe, expect, it } from "vitest";
import {
  above,
  branches,
  conceptTree,
  countsBelow,
  seen,
  standIns,
} from "../src/neuron_concept_graph/hierarchy.ts";
import { between, frameOf } from "../src/neuron_concept_graph/motion.ts";
import { mapsOf, notesOf, regionsOf } from "../src/neuron_concept_graph/payload.ts";
import {
  arranged,
  type Bundle,
  byNearness,
  gathered,
  type Link,
  RIBBONS,
  ribbonPath,
  strongest,
} from "../src/neuron_concept_graph/ribbons.ts";

// whole > animal > (dog > husky, guide dog), helper > guide dog, plant
const [WHOLE, ANIMAL, HELPER, PLANT, DOG, HUSKY, GUIDE] = [0, 1, 2, 3, 4, 5, 6];
const PARENTS = [[], [0], [0], [0], [1], [4], [4, 2]];
const tree = conceptTree(PARENTS);

describe("a concept tree", () => {
  it("shows each concept below its parent, in order", () => {
    expect(seen(tree, new Set())).toEqual([WHOLE, ANIMAL, DOG, HUSKY, GUIDE, HELPER, PLANT]);
  });

  it("shows a concept with several parents once, below the first", () => {
    expect(tree[GUIDE]).toMatchObject({ parent: DOG, others: [HELPER], depth: 3 });
  });

  it("hides what is below a folded concept", () => {
    expect(seen(tree, new Set([ANIMAL]))).toEqual([WHOLE, ANIMAL, HELPER, PLANT]);
  });

  it("has the highest folded concept stand for all below it", () => {
    const standing = standIns(tree, new Set([ANIMAL, DOG]));
    expect([standing[HUSKY], standing[DOG], standing[ANIMAL]]).toEqual([ANIMAL, ANIMAL, ANIMAL]);
    expect(standing[PLANT]).toBe(PLANT);
  });

  it("counts what is below", () => {
    expect(countsBelow(tree)).toEqual([6, 3, 0, 0, 2, 0, 0]);
  });

  it("parts into branches at the first fork", () => {
    expect(branches(tree)).toEqual([-1, 0, 1, 2, 0, 0, 0]);
  });

  it("of several roots has one branch for each", () => {
    expect(branches(conceptTree([[], [], [0], [1]]))).toEqual([0, 1, 0, 1]);
  });

  it("of one concept is a branch", () => {
    expect(branches(conceptTree([[]]))).toEqual([0]);
  });

  it("has no loop, whatever the parents", () => {
    expect(seen(conceptTree([[1], [0]]), new Set())).toEqual([0, 1]);
  });

  it("names the way down to a concept", () => {
    expect(above(tree, HUSKY)).toEqual([WHOLE, ANIMAL, DOG]);
  });
});

const link = (concept: number, neuron: number, score: number): Link => ({
  concept,
  neuron,
  score,
});

describe("links", () => {
  // two neurons by three concepts
  const scores = [5, 1, 0, 3, 2, 0];
  const extent = { neurons: 2, concepts: 3 };

  it("lead to the strongest neurons of each concept", () => {
    expect(strongest(scores, [0, 1, 2], extent, 1, 0)).toEqual([link(0, 0, 5), link(1, 1, 2)]);
  });

  it("below the least score are left out, the least itself is not", () => {
    expect(strongest(scores, [0, 1], extent, 2, 2).map(({ score }) => score)).toEqual([5, 3, 2]);
  });

  it("of folded concepts gather at the one that stands for them, the largest first", () => {
    const found = gathered([link(4, 0, 1), link(5, 0, 3), link(3, 0, 2)], [0, 1, 2, 3, 4, 4]);
    expect(found).toEqual([
      { row: 4, neuron: 0, score: 3, links: [link(5, 0, 3), link(4, 0, 1)], own: true },
      { row: 3, neuron: 0, score: 2, links: [link(3, 0, 2)], own: true },
    ]);
  });

  it("are not a concept's own where only concepts below it have them", () => {
    expect(gathered([link(5, 0, 3)], [0, 1, 2, 3, 4, 4])[0]?.own).toBe(false);
  });
});

const bundle = (row: number, neuron: number, score: number): Bundle => ({
  row,
  neuron,
  score,
  links: [link(row, neuron, score)],
  own: true,
});

describe("ribbons", () => {
  const bundles = [bundle(0, 8, 4), bundle(1, 9, 2), bundle(1, 8, 1)];
  const shape = arranged([0, 1], bundles);

  it("bring neurons near their concepts", () => {
    expect(byNearness([bundle(2, 7, 1), bundle(0, 3, 1)], [0, 1, 2])).toEqual([3, 7]);
  });

  it("are as wide as their scores", () => {
    const [a, b, c] = shape.ribbons.map(({ width }) => width) as [number, number, number];
    expect(a / b).toBeCloseTo(2);
    expect(b / c).toBeCloseTo(2);
  });

  it("stay within their rows and neurons", () => {
    for (const { bundle: one, from, to, width } of shape.ribbons) {
      for (const [slabs, of, at] of [
        [shape.rows, one.row, from],
        [shape.neurons, one.neuron, to],
      ] as const) {
        const slab = slabs.find((found) => found.of === of);
        expect(at - width / 2).toBeGreaterThanOrEqual(slab?.y ?? Number.NaN);
        expect(at + width / 2).toBeLessThanOrEqual((slab?.y ?? 0) + (slab?.height ?? 0));
      }
    }
  });

  it("do not lie on each other at either end", () => {
    const many = Array.from({ length: 40 }, (_, i) => bundle(i % 4, 10 + (i % 7), 1 + (i % 5)));
    const unique = [...new Map(many.map((one) => [`${one.row} ${one.neuron}`, one])).values()];
    const { ribbons } = arranged([0, 1, 2, 3], unique);
    for (const end of ["from", "to"] as const) {
      const sorted = [...ribbons].sort((a, b) => a[end] - b[end]);
      for (const [i, one] of sorted.entries()) {
        const last = sorted[i - 1];
        if (last)
          expect(one[end] - one.width / 2).toBeGreaterThan(last[end] + last.width / 2 - 1e-6);
      }
    }
  });

  it("fill both columns to the same height", () => {
    const end = (slabs: typeof shape.rows) => (slabs.at(-1)?.y ?? 0) + (slabs.at(-1)?.height ?? 0);
    expect(end(shape.rows)).toBeCloseTo(shape.height);
    expect(end(shape.neurons)).toBeCloseTo(shape.height);
  });

  it("of sixty concepts and forty neurons leave every row room for its name", () => {
    const rows = Array.from({ length: 60 }, (_, i) => i);
    const all = rows.flatMap((row) =>
      Array.from({ length: 10 }, (_, k) => bundle(row, (row * 7 + k * 3) % 40, 1 + k)),
    );
    const { rows: slabs, neurons, height } = arranged(rows, all);
    expect(Math.min(...slabs.map((one) => one.height))).toBeGreaterThanOrEqual(RIBBONS.row[0]);
    expect(Math.min(...neurons.map((one) => one.height))).toBeGreaterThanOrEqual(15);
    expect(height).toBeLessThan(1700);
  });

  it("show a neuron that has none, when it is chosen", () => {
    expect(arranged([0], [], [5]).neurons.map(({ of }) => of)).toEqual([5]);
  });

  it("are drawn as bands of one width", () => {
    expect(ribbonPath(0, 10, 100, 30, 4)).toBe("M0,8C50,8 50,28 100,28V32C50,32 50,12 0,12Z");
  });
});

describe("motion", () => {
  const last = frameOf(arranged([0], [bundle(0, 1, 1)]));
  const next = frameOf(arranged([0, 4], [bundle(0, 1, 1), bundle(4, 1, 1)]));

  it("has a new row come out of the one it was folded in", () => {
    expect(between(last, next, 0, () => 0).rows.get(4)?.y).toBe(last.rows.get(0)?.y);
  });

  it("has a new ribbon grow from nothing where it belongs", () => {
    const [from, , width] = between(last, next, 0.5, () => 0).ribbons.get("4 1") ?? [];
    expect(from).toBe(next.ribbons.get("4 1")?.[0]);
    expect(width).toBeCloseTo((next.ribbons.get("4 1")?.[2] ?? 0) / 2);
  });

  it("ends at the next arrangement", () => {
    expect(between(last, next, 1, () => 0)).toEqual(next);
  });
});

describe("payloads", () => {
  it("give each concept its maps by image", () => {
    const payload = {
      concept: ["dog", "cat", "dog"],
      picture: [0, 0, 1],
      extent: [
        [1, 2],
        [1, 1],
        [1, 1],
      ] as [number, number][],
      zero: [1, 0, 2],
      step: [0.5, 1, 1],
      notes: [[], [], []],
      data: Uint8Array.from([3, 0, 9, 7]),
    };
    const maps = mapsOf(payload, "dog");
    expect([...maps.keys()]).toEqual([0, 1]);
    expect([...(maps.get(0)?.values ?? [])]).toEqual([1, -0.5]);
    expect([...(maps.get(1)?.values ?? [])]).toEqual([5]);
  });

  it("give a neuron its pictures, and null where there are none", () => {
    const payload = {
      places: { "7": { images: [[1, 2]] as [number, number][], values: [0.5], at: [[0.1, 0.9]] } },
      data: Uint8Array.from([9, 4, 5]),
    } as Parameters<typeof regionsOf>[0];
    const [first] = regionsOf(payload, 7) ?? [];
    expect([...(first?.bytes ?? [])]).toEqual([4, 5]);
    expect(first?.at).toEqual([0.1, 0.9]);
    expect(regionsOf(payload, 8)).toBeNull();
  });
});

describe("what is to be known of maps", () => {
  const concept = ["dog", "dog", "cat", "dog"];
  const picture = [0, 1, 0, 2];

  it("is said once where it is so on every image", () => {
    const notes = [["plain"], ["plain"], [], ["plain"]];
    expect(notesOf({ concept, picture, notes }, "dog")).toEqual(["plain"]);
  });

  it("names the images where it is so on some alone", () => {
    const notes = [[], ["nowhere"], ["nowhere"], ["nowhere"]];
    expect(notesOf({ concept, picture, notes }, "dog")).toEqual(["Images 2 and 3: nowhere"]);
    expect(notesOf({ concept, picture, notes }, "cat")).toEqual(["nowhere"]);
  });
});
