import type { AnyModel } from "@anywidget/types";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  moved,
  type Scale,
  SPARSITY,
  shapeOf,
  sparsityAt,
  stepFor,
  stepOf,
  strongest,
} from "../src/layer_heatmaps/heat_grid.ts";
import { Session, type State } from "../src/layer_heatmaps/session.ts";
import { type HeatCell, Sheet, type SheetPayload } from "../src/layer_heatmaps/sheet.ts";
import {
  cellTitle,
  contestShort,
  contestWords,
  facts,
  methodLabel,
  spoken,
} from "../src/layer_heatmaps/words.ts";

const MARKUP = "<img src=x onerror=alert(1)>";

function payload(): SheetPayload {
  const layer = (name: string, stage: number, cells: number) => ({
    name,
    type: "ReLU",
    shape: [8, cells, cells] as [number, number, number],
    stage,
    field: null,
  });
  return {
    size: [32, 48],
    model: "Small",
    sparsity: 0.01,
    rivals: 0,
    methods: [
      { name: "CHIP", whole: false, weighed: true, contested: true },
      { name: "Refined CHIP", whole: true, weighed: true, contested: false },
    ],
    predictions: [{ index: 2, name: MARKUP, probability: 0.9, logit: 4.2 }],
    layers: [layer("conv2", 2, 1), layer("conv1", 1, 2)],
    targets: [
      { key: 2, name: MARKUP },
      { key: 0, name: null },
    ],
    notes: [],
    errors: [["CHIP", 0, "conv2", false, "every channel is zero; refit with sparsity=0.02"]],
    maps: {
      method: ["CHIP", "CHIP", "Refined CHIP"],
      target: [2, 2, 2],
      layer: ["conv2", "conv1", ""],
      contested: [false, false, false],
      of: ["conv2", "conv1", "conv1 × conv2"],
      extent: [
        [1, 1],
        [2, 2],
        [0, 0],
      ],
      zero: [0, 100, 0],
      step: [0.5, 0.25, 1],
      picture: [0, 0, 3],
      grid: [
        [1, 1],
        [2, 2],
        [32, 48],
      ],
      low: [0, -2, 0],
      high: [3, 1, 7],
      channels: [[3, 8], [1, 8], null],
      boxed: [1, 1, 0],
      foreign: [0, 0, 0],
      rivals: [0, 0, 0],
      against: [[], [], []],
      box: [[4, 2, 20, 30], null, null],
      threshold: [0.35, 0.35, null],
      notes: [["The map is flat."], [], []],
    },
    data: Uint8Array.from([6, 100, 104, 92, 100]),
    pictures: Uint8Array.from([7, 8, 9]),
  };
}

const read = (change: Partial<SheetPayload> = {}) =>
  new Sheet({ ...payload(), ...change }, ["house", "pool", MARKUP]);

describe("the shape of the grid", () => {
  it("is a row per class, and one row of all classes where a method has one map each", () => {
    expect(shapeOf(3, 5)).toEqual({ rows: 3, columns: 5, across: false });
    expect(shapeOf(3, 1)).toEqual({ rows: 1, columns: 3, across: true });
  });

  it("is walked with the arrow keys and never left", () => {
    const shape = shapeOf(2, 3);
    expect(moved({ row: 0, column: 1 }, "ArrowRight", shape)).toEqual({ row: 0, column: 2 });
    expect(moved({ row: 0, column: 2 }, "ArrowRight", shape)).toEqual({ row: 0, column: 2 });
    expect(moved({ row: 0, column: 2 }, "ArrowDown", shape)).toEqual({ row: 1, column: 2 });
    expect(moved({ row: 1, column: 2 }, "Home", shape)).toEqual({ row: 1, column: 0 });
    expect(moved({ row: 1, column: 2 }, "PageUp", shape)).toEqual({ row: 0, column: 2 });
  });

  it("is not left by other keys", () => {
    expect(moved({ row: 0, column: 0 }, "x", shapeOf(2, 2))).toBeNull();
  });
});

describe("the colour scale", () => {
  const at = (layer: string, low: number, high: number) => ({ layer, low, high });
  const maps = [at("deep", -1, 4), at("deep", 0, 2), at("shallow", -9, 3)] as const;
  const of = (i: 0 | 1 | 2, scale: Scale, signed = false) =>
    strongest(maps[i], maps, scale, signed);

  it("ends at each map's own largest value, each layer's, or that of all", () => {
    expect([of(1, "map"), of(1, "layer"), of(1, "all")]).toEqual([2, 4, 4]);
    expect([of(2, "map"), of(2, "layer"), of(2, "all")]).toEqual([3, 3, 4]);
  });

  it("reaches as far as the negative values where both signs are shown", () => {
    expect([of(2, "map", true), of(0, "all", true)]).toEqual([9, 9]);
  });

  it("is one for a map without a positive value", () => {
    expect(strongest(at("deep", -2, 0), [], "map", false)).toBe(1);
  });
});

describe("the sparsity slider", () => {
  it("goes from 0.0003 to 1", () => {
    expect([sparsityAt(0), sparsityAt(SPARSITY.steps)]).toEqual([0.0003, 1]);
  });

  it("has equal factors between equal steps", () => {
    const middle = Math.sqrt(0.0003);
    expect(sparsityAt(SPARSITY.steps / 2)).toBeCloseTo(middle, 3);
  });

  it("stands where the sparsity is, and at its ends for what lies beyond", () => {
    expect(sparsityAt(stepOf(0.01))).toBeCloseTo(0.01, 3);
    expect([stepOf(1e-9), stepOf(5)]).toEqual([0, SPARSITY.steps]);
  });

  it("goes up key by key though every key is answered before the next one", () => {
    let step = 0;
    for (let key = 1; key <= SPARSITY.steps; key++) {
      step = stepFor(sparsityAt(step + 1), step + 1);
      expect(step).toBe(key);
    }
    expect(stepFor(0.01, 3)).toBe(stepOf(0.01));
  });
});

describe("a sheet", () => {
  it("has every map in its place, read from one buffer", () => {
    const sheet = read();
    expect([...(sheet.cell("CHIP", 2, "conv2", false)?.values.values ?? [])]).toEqual([3]);
    expect([...(sheet.cell("CHIP", 2, "conv1", false)?.values.values ?? [])]).toEqual([
      0, 1, -2, 0,
    ]);
  });

  it("has the picture of a method that draws its own", () => {
    expect([...(read().cell("Refined CHIP", 2, "", false)?.picture ?? [])]).toEqual([7, 8, 9]);
    expect(read().cell("CHIP", 2, "conv2", false)?.picture).toBeNull();
  });

  it("knows why a map is missing", () => {
    expect(read().cell("CHIP", 0, "conv2", false)).toBeNull();
    expect(read().error("CHIP", 0, "conv2", false)).toContain("sparsity=0.02");
  });

  it("has all layers as columns while it is live, and those with a map when saved", () => {
    const maps = { ...payload().maps, layer: ["conv1", "conv1", ""] };
    const sheet = read({ maps, errors: [] });
    expect(sheet.columns("CHIP", true)).toEqual(["conv2", "conv1"]);
    expect(sheet.columns("CHIP", false)).toEqual(["conv1"]);
  });

  it("has one column for a method with one map per class", () => {
    expect(read().columns("Refined CHIP", true)).toEqual([""]);
  });

  it("shows layers that it was not told of after those it was", () => {
    const maps = { ...payload().maps, layer: ["conv9", "conv1", ""] };
    expect(read({ maps }).columns("CHIP", true)).toEqual(["conv2", "conv1", "conv9"]);
  });

  it("names a class from its maps, else from the list, else by its key", () => {
    expect([2, 0, "sky", 99].map((key) => read().name(key))).toEqual([
      MARKUP,
      "house",
      "sky",
      "99",
    ]);
  });

  it("is refused where its maps are longer than the buffer", () => {
    expect(() => read({ data: new Uint8Array(2) })).toThrow("map ends at");
  });
});

/** A sheet with the deepest map of both kinds: held against two classes, and the plain sum. */
function bothKinds(change: Partial<SheetPayload> = {}): Sheet {
  const { maps } = payload();
  const twice = <T>(column: T[]) => [column[0] as T, column[0] as T];
  const columns = Object.fromEntries(
    Object.entries(maps).map(([name, column]) => [name, twice(column as unknown[])]),
  ) as unknown as SheetPayload["maps"];
  return read({
    maps: {
      ...columns,
      contested: [true, false],
      rivals: [2, 0],
      against: [["pool", "house"], []],
      high: [1, 3],
    },
    data: Uint8Array.from([2, 6]),
    errors: [],
    rivals: null,
    ...change,
  });
}

describe("maps against other classes, and plain sums", () => {
  it("stand apart, each with its own values", () => {
    const sheet = bothKinds();
    expect([true, false].map((kind) => sheet.cell("CHIP", 2, "conv2", kind)?.high)).toEqual([1, 3]);
  });

  it("can both be chosen where both are there, or an engine draws them", () => {
    expect(bothKinds().kinds("CHIP")).toEqual([true, false]);
    expect(read({ rivals: 9 }).kinds("CHIP")).toEqual([true, false]);
    expect(read({ rivals: 0 }).kinds("CHIP")).toEqual([false]);
    expect(read({ rivals: null }).kinds("CHIP")).toEqual([false]);
    expect(bothKinds().kinds("Refined CHIP")).toEqual([false]);
  });

  it("say in words what they are, and name the other classes", () => {
    const sheet = bothKinds();
    const [held, plain] = [true, false].map((kind) => {
      const cell = sheet.cell("CHIP", 2, "conv2", kind) as HeatCell;
      return [facts(sheet, cell)[1], spoken(sheet, [2, "conv2"], cell, null)];
    }) as [string[], string[]];
    expect(held[0]).toContain("the image's 2 strongest other classes (pool, house)");
    expect(held[1]).toContain("CHIP, against 2 other classes, from 0 to 1");
    expect(plain[0]).toContain("The plain sum");
    expect([contestWords(1), contestShort(1)].join(" ")).not.toContain("classes");
  });

  it("have no box that is another map's", () => {
    const { maps } = bothKinds().payload;
    const sheet = bothKinds({ maps: { ...maps, box: [null, null], foreign: [1, 0] } });
    const told = facts(sheet, sheet.cell("CHIP", 2, "conv2", true) as HeatCell).join(" ");
    expect(told).toContain("that of the plain sum, and is not drawn");
  });

  it("measure a box of HINT by the map's range, and others by its largest value", () => {
    const { maps } = payload();
    const sheet = read({ maps: { ...maps, method: ["HINT", "CHIP", "Refined CHIP"] } });
    const told = facts(sheet, sheet.cell("HINT", 2, "conv2", false) as HeatCell).join(" ");
    expect(told).toContain("35 % of the way from the smallest value to the largest");
  });
});

describe("words", () => {
  const cell = (layer: string) => read().cell("CHIP", 2, layer, false) as HeatCell;

  it("tell the layer, the range, the channels, the box and the notes of a map", () => {
    const told = facts(read(), cell("conv2"));
    expect(told[0]).toBe("CHIP · conv2 · 8 × 1 × 1");
    expect(told.slice(1)).toEqual([
      "The plain sum: a place counts for the class even where it speaks as much for others.",
      "Speaks for the class with up to 3 in a cell.",
      "3 of 8 channels have a weight other than zero at sparsity 0.01.",
      "Box of what reaches 35 % of the largest value: 16 × 28 pixels from (4, 2).",
      "The map is flat.",
    ]);
  });

  it("say what speaks against the class, and that a map points at nothing", () => {
    const told = facts(read(), cell("conv1")).join(" ");
    expect(told).toContain("against it up to 2");
    expect(told).toContain("there is no box");
  });

  it("say of a picture of several layers which they are", () => {
    const refined = read().cell("Refined CHIP", 2, "", false) as HeatCell;
    expect(facts(read(), refined)).toEqual(["Refined CHIP · conv1 × conv2 · 32 × 48"]);
  });

  it("name a map by class and stage, in the title and for a screen reader", () => {
    expect(cellTitle(read(), [0, "conv1"])).toBe("house, stage 1");
    expect(spoken(read(), [2, "conv2"], cell("conv2"), null)).toBe(
      `${MARKUP}, stage 2, CHIP, the plain sum, from 0 to 3, 3 of 8 channels`,
    );
  });

  it("tell a screen reader why there is no map", () => {
    expect(spoken(read(), [0, "conv2"], null, "every channel is zero")).toBe(
      "house, stage 2: every channel is zero",
    );
  });

  it("shorten the names of known methods alone", () => {
    expect([methodLabel("Refined CHIP"), methodLabel("Another")]).toEqual(["Refined", "Another"]);
  });
});

type Sent = Record<string, unknown> & { kind: string; id: number };

class Model {
  readonly sent: Sent[] = [];
  private readonly listeners = new Map<string, ((value: unknown) => void)[]>();
  readonly state: Record<string, unknown> = {
    sheet: payload(),
    image: new Uint8Array(),
    classes: ["house", "pool", MARKUP],
    live: true,
    view: { method: "CHIP", classes: [2, 0] },
  };

  get(name: string) {
    return this.state[name];
  }
  set(name: string, value: unknown) {
    this.state[name] = value;
    for (const act of this.listeners.get(`change:${name}`) ?? []) act(undefined);
  }
  save_changes() {}
  send(message: Sent) {
    this.sent.push(message);
  }
  on(event: string, act: (value: unknown) => void) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), act]);
  }
  off() {}
  answer(fields: Record<string, unknown> = {}, kind = "result") {
    const { id } = this.asked().at(-1) as Sent;
    for (const act of this.listeners.get("msg:custom") ?? []) act({ ...fields, kind, id });
  }
  asked(kind?: string) {
    return this.sent.filter((one) => one.kind !== "cancel" && (!kind || one.kind === kind));
  }
}

describe("asking the kernel", () => {
  let model: Model;
  let session: Session;
  let complaints: unknown[];

  beforeEach(() => {
    vi.useFakeTimers();
    model = new Model();
    complaints = [];
    session = new Session(model as unknown as AnyModel<State>, (error) => complaints.push(error));
  });

  afterEach(() => {
    session.close();
    vi.useRealTimers();
  });

  it("waits until the view is seen, and then asks for the classes that lack a map", async () => {
    session.arrangement.change({ classes: [2, 1] });
    expect(model.asked()).toHaveLength(0);
    session.wantMaps();
    expect(model.asked("maps").map((one) => one.classes)).toEqual([[1]]);
  });

  it("does not ask for what the kernel said it cannot have", () => {
    const errors = ["conv2", "conv1"].map((layer) => ["CHIP", 0, layer, false, "zero"]);
    model.set("sheet", { ...payload(), errors });
    session.wantMaps();
    expect(model.asked()).toHaveLength(0);
  });

  it("asks for boxes once they are wanted", () => {
    const maps = { ...payload().maps, boxed: [0, 0, 0] };
    model.set("sheet", { ...payload(), maps });
    session.arrangement.change({ classes: [2] });
    session.wantMaps();
    expect(model.asked()).toHaveLength(0);
    session.arrangement.change({ boxes: true });
    expect(model.asked("maps").map((one) => one.boxes)).toEqual([true]);
  });

  it("asks for another method when it is chosen, leaving the question before", async () => {
    session.arrangement.change({ classes: [1] });
    session.wantMaps();
    session.show("Refined CHIP");
    await vi.advanceTimersByTimeAsync(1);
    expect(model.asked("maps").map((one) => one.method)).toEqual(["CHIP", "Refined CHIP"]);
    expect(model.sent.filter((one) => one.kind === "cancel")).toHaveLength(1);
  });

  it("asks for the plain sums once they are chosen, and for no check of the other map", () => {
    model.set("sheet", { ...payload(), rivals: 2, maps: { ...payload().maps } });
    session.arrangement.change({ classes: [2] });
    session.wantMaps();
    expect(model.asked("maps").map((one) => one.plain)).toEqual([false]);
    session.arrangement.change({ plain: true });
    expect(session.contested).toBe(false);
    expect(session.shown).toHaveLength(2);
  });

  it("shows the kind that there is where the one wanted is not", () => {
    session.arrangement.change({ plain: false });
    expect(session.contested).toBe(false);
    model.set("sheet", { ...bothKinds().payload });
    expect(session.contested).toBe(true);
  });

  it("refits once the slider rests", async () => {
    for (const sparsity of [0.02, 0.03, 0.04]) session.refit(sparsity);
    expect(session.coming).toBe(0.04);
    await vi.advanceTimersByTimeAsync(200);
    expect(model.asked("refit").map((one) => one.sparsity)).toEqual([0.04]);
  });

  it("cancels a refit that is running when the slider moves on, and keeps the old maps", async () => {
    session.refit(0.02);
    await vi.advanceTimersByTimeAsync(200);
    session.refit(0.05);
    await vi.advanceTimersByTimeAsync(200);
    const cancelled = model.sent.filter((one) => one.kind === "cancel").map((one) => one.of);
    expect(cancelled).toEqual([model.asked("refit")[0]?.id]);
    expect(session.coming).toBe(0.05);
    expect(session.shown).toHaveLength(2);
  });

  it("is done with a refit when it is answered", async () => {
    session.refit(0.02);
    await vi.advanceTimersByTimeAsync(200);
    model.answer({ sparsity: 0.02 });
    await vi.advanceTimersByTimeAsync(1);
    expect(session.coming).toBeNull();
  });

  it("shows an error and does not ask the same again until it is wanted", async () => {
    session.arrangement.change({ classes: [1] });
    session.wantMaps();
    model.answer({ text: "out of memory" }, "error");
    await vi.advanceTimersByTimeAsync(1);
    session.arrangement.change({ opacity: 0.5 });
    expect(model.asked("maps")).toHaveLength(1);
    expect(String(complaints[0])).toContain("out of memory");
    session.retry();
    expect(model.asked("maps")).toHaveLength(2);
  });

  it("says that more takes the model when there is none", async () => {
    model.state.live = false;
    await session.choose("pool");
    expect(complaints[0]).toContain("takes the model");
    expect(model.sent).toHaveLength(0);
  });

  it("lets the kernel name the class that was typed", async () => {
    const choosing = session.choose("pol");
    model.answer({ key: 1, name: "pool" });
    await choosing;
    expect(session.arrangement.classes).toEqual([2, 0, 1]);
  });

  it("looks at what is pinned, whatever is under the pointer", () => {
    session.pin([2, "conv1"]);
    session.hover([0, "conv2"]);
    expect(session.current).toEqual([2, "conv1"]);
    session.pin([2, "conv1"]);
    expect(session.current).toEqual([0, "conv2"]);
  });

  it("does not call pinned what has no place in another method", () => {
    session.pin([2, "conv1"]);
    expect(session.pinned).toBe(true);
    session.show("Refined CHIP");
    expect([session.pinned, session.current]).toEqual([false, [2, ""]]);
    session.show("CHIP");
    expect([session.pinned, session.current]).toEqual([true, [2, "conv1"]]);
  });

  it("looks at the first map where the one looked at is gone", () => {
    session.select([0, "conv1"]);
    session.arrangement.remove(0);
    expect(session.current).toEqual([2, "conv2"]);
  });
});

describe("a sheet of before contests were said", () => {
  it("is drawn, and a box that may be another map's is not", () => {
    const { maps, rivals: _, ...now } = payload();
    const { contested: _c, rivals: _r, against: _a, foreign: _f, ...columns } = maps;
    const methods = now.methods.map(({ name, whole, weighed }) => ({ name, whole, weighed }));
    const errors = now.errors.map(([method, target, at, , text]) => [method, target, at, text]);
    const sheet = read({ ...now, methods, errors, maps: columns, rivals: undefined } as never);
    expect(sheet.all()).toHaveLength(3);
    expect(sheet.kinds("CHIP")).toEqual([false]);
    expect(sheet.error("CHIP", 0, "conv2", false)).toMatch("every channel");
    for (const cell of sheet.all())
      expect(sheet.cell(cell.method, cell.target, cell.layer, false)).toBe(cell);
    expect(sheet.cell("CHIP", 2, "conv2", false)).toMatchObject({ box: null, foreign: true });
  });
});
