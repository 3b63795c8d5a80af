import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Saved,
  shownChildren,
  TreeArrangement,
} from "../src/decomposition_tree/arrangement.ts";
import { linesOf } from "../src/decomposition_tree/painter.ts";
import {
  readTree,
  strongestLine,
  type TreeNode,
  type TreePayload,
} from "../src/decomposition_tree/tree.ts";
import { sentences, spoken, unitOf, wording } from "../src/decomposition_tree/words.ts";
import { Cancelled, Kernel, KernelError, PATIENCE, Silence, Unheard } from "../src/lib/kernel.ts";
import { find } from "../src/lib/search.ts";
import { number, percent } from "../src/lib/words.ts";

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

  it("say where a step is exact and where nothing is below", () => {
    expect(sentences(node(""), tree).join(" ")).toContain("the step is exact");
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
    expect(wording(tree).subject).toBeUndefined();
    expect(wording(exact).subject).toBe("measured by ablation; the gradient");
  });

  it("speak a node in one line", () => {
    expect(spoken(node("0"), tree)).toBe(
      `Stage 2, channel 5, 42 % of logit of ${MARKUP}, strongest at row 1, column 0, also channels 6, 1`,
    );
  });

  it("write numbers as one reads them", () => {
    expect([0, 12345, 123.4, 9.404, 0.0512, -0.31, 2e-7].map(number)).toEqual([
      "0",
      "12345",
      "123",
      "9.4",
      "0.051",
      "−0.31",
      "2.0e−7",
    ]);
    expect([0, 0.034, 0.42, 1].map(percent)).toEqual(["0 %", "3.4 %", "42 %", "100 %"]);
    expect(percent(0.0001)).toBe("< 0.1 %");
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

describe("the kernel", () => {
  const sent: Record<string, unknown>[] = [];
  let hear: (message: unknown) => void = () => undefined;
  let kernel: Kernel;

  beforeEach(() => {
    vi.useFakeTimers();
    sent.length = 0;
    const model = {
      send: (message: Record<string, unknown>) => sent.push(message),
      on: (_: string, listen: (message: unknown) => void) => {
        hear = listen;
      },
      off: () => undefined,
    };
    kernel = new Kernel(model as never, () => undefined);
  });

  it("is asked with an id and its answer reaches who asked", async () => {
    const [first, second] = [
      kernel.ask("expand", { path: [0] }),
      kernel.ask("expand", { path: [1] }),
    ];
    hear({ kind: "result", id: sent[1]?.id, children: 5 });
    hear({ kind: "result", id: sent[0]?.id, children: 3 });
    expect([(await first).children, (await second).children]).toEqual([3, 5]);
  });

  it("answers with an error in its own words", async () => {
    const asked = kernel.ask("retarget", { target: "hause" });
    hear({ kind: "error", id: sent[0]?.id, text: "got 'hause'" });
    await expect(asked).rejects.toThrowError(new KernelError("got 'hause'"));
  });

  it("that is silent for five seconds is said to be silent", async () => {
    const asked = kernel.ask("expand");
    const rejected = expect(asked).rejects.toBeInstanceOf(Silence);
    await vi.advanceTimersByTimeAsync(PATIENCE);
    await rejected;
    expect(kernel.busy).toEqual([]);
  });

  it("may have other cells to run before what no person waits for", async () => {
    const wish = kernel.wish("check");
    await vi.advanceTimersByTimeAsync(4 * PATIENCE);
    hear({ kind: "result", id: sent[0]?.id, r: 0.9 });
    expect((await wish).r).toBe(0.9);
  });

  it("that never answers a wish is not complained of", async () => {
    const rejected = expect(kernel.wish("check")).rejects.toBeInstanceOf(Unheard);
    await vi.advanceTimersByTimeAsync(40 * PATIENCE);
    await rejected;
    expect(kernel.busy).toEqual([]);
  });

  it("that has accepted may take its time", async () => {
    const asked = kernel.ask("expand");
    hear({ kind: "accepted", id: sent[0]?.id });
    await vi.advanceTimersByTimeAsync(4 * PATIENCE);
    hear({ kind: "result", id: sent[0]?.id, children: 1 });
    expect((await asked).children).toBe(1);
  });

  it("is told what is cancelled, and the view goes on at once", async () => {
    const asked = kernel.ask("top_k", { top_k: 5 });
    kernel.cancel();
    await expect(asked).rejects.toBeInstanceOf(Cancelled);
    expect(sent[1]).toMatchObject({ kind: "cancel", of: sent[0]?.id });
  });

  it("loses no question of another kind when pictures are cancelled", () => {
    void kernel.ask("pictures").catch(() => undefined);
    void kernel.ask("expand").catch(() => undefined);
    kernel.cancel("pictures");
    expect(kernel.busy).toEqual(["expand"]);
  });

  it("may send what is no answer: it is not heard", () => {
    for (const noise of [null, 3, "x", {}, { id: 1 }, { kind: "result", id: -1 }]) hear(noise);
    expect(kernel.busy).toEqual([]);
  });
});

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
});
