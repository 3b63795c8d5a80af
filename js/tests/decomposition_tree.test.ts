import { beforeEach, describe, expect, it } from "vitest";
import {
  bounds,
  cropBox,
  linkPath,
  linkWidth,
  mapBox,
  placeOf,
  union,
} from "../src/decomposition_tree/geometry.ts";
import { centred, minified } from "../src/decomposition_tree/minimap.ts";
import { linesOf } from "../src/decomposition_tree/painter.ts";
import { type Saved, shownChildren, TreeArrangement } from "../src/decomposition_tree/session.ts";
import {
  readTree,
  strongestLine,
  type TreeNode,
  type TreePayload,
} from "../src/decomposition_tree/tree.ts";
import { sentences, spoken, unitOf, wording } from "../src/decomposition_tree/words.ts";
import type { Place } from "../src/lib/plane.ts";
import { type Branch, layoutSlots } from "../src/lib/slots.ts";

const square = (side: number) => ({ width: side, height: side });
const MARKUP = "<img src=x onerror=alert(1)>";

function payload(): TreePayload {
  const layer = (name: string, stage: number, cells: number) => ({
    name,
    type: "ReLU",
    shape: [8, cells, cells] as [number, number, number],
    stage,
    field: null,
  });
  return {
    size: [64, 64],
    top_k: 2,
    target: { index: 3, name: MARKUP, probability: 0.9, logit: 4.2 },
    predictions: [],
    layers: [layer("conv2", 2, 2), layer("conv1", 1, 4)],
    notes: [],
    model: "Small",
    nodes: {
      parent: [-1, 0, 1, 0],
      layer: [-1, 0, 1, 0],
      channel: [3, 5, 7, 2],
      position: [
        [0, 0],
        [1, 0],
        [2, 3],
        [0, 1],
      ],
      value: [4.2, 1.5, -0.4, 1],
      contribution: [4.2, 2, 0.5, 1],
      share: [1, 0.42, 0.61, 0.2],
      box: [
        [0, 0, 64, 64],
        [0, 0, 40, 40],
        [8, 8, 16, 16],
        [20, 0, 64, 40],
      ],
      also: [[], [6, 1], [], []],
      negated: [0, 0, 1, 0],
      unclipped: [0, 0, 0, 1],
      activated: [12, 4, null, 0],
      completeness: [1, 0.8, null, 0],
      corner: [
        [0, 0],
        [0, 0],
        [1, 1],
        [0, 0],
      ],
      extent: [
        [1, 1],
        [2, 2],
        [1, 2],
        [2, 2],
      ],
      grid: [
        [1, 1],
        [2, 2],
        [4, 4],
        [2, 2],
      ],
      zero: [0, 0, 1, 0],
      step: [1, 0.5, 2, 1],
    },
    maps: Uint8Array.from([4, 1, 2, 3, 4, 0, 2, 9, 9, 9, 9]),
  };
}

describe("a tree", () => {
  const tree = readTree(payload());

  it("has its nodes at their paths", () => {
    expect([...tree.nodes.keys()]).toEqual(["", "0", "0.0", "1"]);
    expect(tree.nodes.get("0.0")?.facts.channel).toBe(7);
  });

  it("decodes each map from its own place in the buffer", () => {
    expect([...(tree.nodes.get("0")?.map.values ?? [])]).toEqual([0.5, 1, 1.5, 2]);
    expect([...(tree.nodes.get("0.0")?.map.values ?? [])]).toEqual([-2, 2]);
  });

  it("knows its strongest line", () => {
    expect(strongestLine(tree.root).map((node) => node.key)).toEqual(["", "0", "0.0"]);
  });

  it("has maps that reach to the image's border and fade to zero inside it", () => {
    const lines = (key: string) =>
      linesOf(tree.nodes.get(key) as TreeNode, [0, 0, 64, 64], square(8), square(64));
    expect([...lines("0").columns.slice(0, 3)]).toEqual([0.5, 0.5, 0.625]);
    const inside = [...lines("0.0").columns];
    expect(inside.map(Number.isNaN)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
    expect(inside.slice(1, 3)).toEqual([-0.25, 0.25]);
  });

  it("with a column that ends too early is refused", () => {
    const short = payload();
    short.nodes.share = [1, 0.5];
    expect(() => readTree(short)).toThrow("columns end before node 2");
  });
});

describe("the words", () => {
  const tree = readTree(payload());
  const node = (key: string) =>
    tree.nodes.get(key) as NonNullable<ReturnType<typeof tree.nodes.get>>;

  it("name what a contribution is measured in", () => {
    expect(unitOf(node("0"), tree)).toBe(`logit of ${MARKUP}`);
    expect(unitOf(node("0.0"), tree)).toBe("stage 2 channel 5");
  });

  it("say what was negated, merged and taken before a clip", () => {
    expect(sentences(node("0.0"), tree).join(" ")).toContain("value is negative (−0.4)");
    expect(sentences(node("0"), tree).join(" ")).toContain("Stands also for channels 6, 1");
    expect(sentences(node("1"), tree).join(" ")).toContain("value before the clip");
  });

  it("say what speaks against a class that was asked about", () => {
    const other = payload();
    other.target = { ...other.target, logit: -4.2 };
    other.nodes.negated = other.nodes.negated.map((flag, i) => (i === 0 ? 1 : flag));
    const against = readTree(other);
    const said = (key: string) =>
      sentences(against.nodes.get(key) as ReturnType<typeof node>, against).join(" ");
    expect(said("")).toContain("The network decides against it");
    expect(said("")).toContain("against it in the layer below");
    expect(said("0")).toContain(`of all that speaks against ${MARKUP}`);
  });

  it("leave sums to the sentence of trust, and say where nothing is below", () => {
    expect(sentences(node(""), tree).join(" ")).toMatch(/it in the layer below\.$/);
    expect(wording(node(""), tree).total).toBeCloseTo(1);
    expect(sentences(node("1"), tree).join(" ")).toContain("No channel below is activated");
  });

  it("put estimate and truth side by side in a tree by ablation", () => {
    const estimate = [4.2, 1.5, 0.25, 1];
    const exact = readTree({ ...payload(), nodes: { ...payload().nodes, estimate } });
    const of = (key: string) =>
      sentences(exact.nodes.get(key) as ReturnType<typeof node>, exact).join(" ");
    expect(of("0")).toContain("without it 2 is lost; its gradient says 1.5.");
    expect(spoken(exact.nodes.get("0") as ReturnType<typeof node>, exact)).toContain(
      "42 % of logit of <img src=x onerror=alert(1)>, by its gradient 32 %",
    );
    expect(sentences(node("0"), tree).join(" ")).toContain("2 on average over the map.");
  });

  it("say of which contributions faithfulness is told", () => {
    const exact = readTree({ ...payload(), method: "ablation" });
    expect(wording(tree.root, tree)).toMatchObject({ measured: false, whole: "the decision" });
    expect(wording(exact.root, exact).measured).toBe(true);
    expect(wording(node("0"), tree).whole).toBe("this channel");
  });

  it("speak a node in one line", () => {
    expect(spoken(node("0"), tree)).toBe(
      `Stage 2, channel 5, 42 % of logit of ${MARKUP}, strongest at row 1, column 0, also channels 6, 1`,
    );
  });
});

describe("an arrangement", () => {
  let saved: Saved;
  let arrangement: TreeArrangement;
  const tree = readTree(payload());

  beforeEach(() => {
    saved = {};
    const model = {
      get: () => saved,
      set: (_: string, next: Saved) => {
        saved = next;
      },
      save_changes: () => undefined,
    };
    arrangement = new TreeArrangement(
      model as unknown as ConstructorParameters<typeof TreeArrangement>[0],
    );
  });

  it("opens the strongest path at first", () => {
    expect([...arrangement.open(tree)]).toEqual(["", "0", "0.0"]);
  });

  it("keeps what is selected as far as the path exists in another tree", () => {
    saved = { selected: "0.0.2.1" };
    expect(arrangement.selected(tree).key).toBe("0.0");
    saved = { selected: "7.1" };
    expect(arrangement.selected(tree).key).toBe("");
  });

  it("shows nothing below a folded or a hidden node", () => {
    expect(shownChildren(tree.root, new Set([""]), new Set())).toHaveLength(2);
    expect(shownChildren(tree.root, new Set(), new Set())).toHaveLength(0);
    expect(shownChildren(tree.root, new Set([""]), new Set([""]))).toHaveLength(0);
  });

  it("hides a branch and shows it again", () => {
    arrangement.toggleHidden("0");
    expect([...arrangement.hidden]).toEqual(["0"]);
    arrangement.toggleHidden("0");
    expect([...arrangement.hidden]).toEqual([]);
  });
});

function overlap(a: Place, b: Place): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

describe("tiles", () => {
  const full = (depth: number, key = "r"): Branch => ({
    key,
    children: depth === 0 ? [] : [0, 1, 2].map((i) => full(depth - 1, `${key}.${i}`)),
    size: 1,
  });

  it("stand in both directions without one overlap, 121 of them", () => {
    const slots = [...layoutSlots(full(4)).values()];
    expect(slots).toHaveLength(121);
    for (const direction of ["right", "down"] as const) {
      const places = slots.map((slot) => placeOf(slot, direction));
      const overlaps = places.flatMap((a, i) => places.slice(i + 1).filter((b) => overlap(a, b)));
      expect(overlaps).toEqual([]);
    }
  });

  it("of no tree have no size", () => {
    expect(bounds([])).toEqual({ x: 0, y: 0, width: 0, height: 0 });
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

describe("the small map of a tree", () => {
  const box = { x: -10, y: 0, width: 800, height: 26400 };

  it("holds all of it", () => {
    const small = minified(box);
    expect(box.height * small).toBeCloseTo(132);
    expect(box.width * small).toBeLessThan(132);
    expect(minified({ x: 0, y: 0, width: 40, height: 20 })).toBe(1);
  });

  it("brings what is pressed to the middle of the window", () => {
    const small = minified(box);
    const to = centred([2, 66], box, small, { x: 5, y: 7, k: 0.5 }, { width: 600, height: 400 });
    const [x, y] = [box.x + 2 / small, box.y + 66 / small];
    expect(x * to.k + to.x).toBeCloseTo(300);
    expect(y * to.k + to.y).toBeCloseTo(200);
    expect(to.k).toBe(0.5);
  });
});
