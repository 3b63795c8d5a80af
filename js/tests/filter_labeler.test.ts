import type { AnyModel } from "@anywidget/types";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Names,
  nextOpen,
  partChoice,
  partsInUse,
  progress,
  shownFilters,
  vocabulary,
} from "../src/filter_labeler/choice.ts";
import { offers } from "../src/filter_labeler/field.ts";
import {
  CARD,
  inSight,
  moved,
  outline,
  placeOf,
  scrolledTo,
  shapeOf,
  unpacked,
} from "../src/filter_labeler/filter_grid.ts";
import {
  firstMasks,
  labelsFile,
  offered,
  type SheetPayload,
  suggestion,
} from "../src/filter_labeler/payload.ts";
import { Session, type State } from "../src/filter_labeler/session.ts";
import { answer, luck, spoken, told } from "../src/filter_labeler/words.ts";

const MARKUP = "<img src=x onerror=alert(1)>";

/** Six filters; the last never fires, filter 2 overlaps a part most. */
function sheet(): SheetPayload {
  return {
    layer: { name: "conv5", type: "ReLU", shape: [6, 4, 4], stage: 5, field: null },
    model: "Small",
    network: "abc",
    format: 1,
    longest: 200,
    quantile: 0.995,
    images: 110,
    least: 0.04,
    parts: ["wheel", "wing mirror", MARKUP],
    notes: [],
    shown: [[0, 1], [1], [2, 0], [0], [1], []],
    values: [[2, 1], [3], [2, 1], [1], [1], []],
    thresholds: [1, 1, 1, 1, 1, 0],
    pictures: { places: [], data: new Uint8Array(0) },
    side: 4,
    masks: new Uint8Array(0),
    best: [
      [[0, 0.06]],
      [[1, 0.03]],
      [
        [0, 0.2],
        [2, 0.05],
      ],
      [],
      [[2, 0.06]],
      [],
    ],
    chance: [0.05, 0, 0.01, 0, 0.02, 0],
    lucky: 1,
  };
}

describe("the grid", () => {
  it("fills the room with columns", () => {
    const shape = shapeOf(100, 700);
    expect(shape.columns).toBe(4);
    expect(shape.columns * (shape.width + CARD.gap) - CARD.gap).toBeCloseTo(700);
    expect(shape.rows).toBe(25);
  });

  it("has one column where the room is narrow, and none of nothing", () => {
    expect(shapeOf(5, 40)).toMatchObject({ columns: 1, rows: 5 });
    expect(shapeOf(0, 700)).toMatchObject({ rows: 0, height: 0 });
  });

  it("places cards row by row", () => {
    const shape = shapeOf(100, 700);
    expect(placeOf(5, shape)).toEqual({
      x: shape.width + CARD.gap,
      y: shape.tall + CARD.gap,
    });
  });

  it("makes only the cards in sight, and a few rows more", () => {
    const shape = shapeOf(1280, 700);
    const row = shape.tall + CARD.gap;
    expect(inSight(1280, shape, 10 * row, 3 * row, 1)).toEqual([36, 56]);
    expect(inSight(1280, shape, 0, 3 * row, 1)).toEqual([0, 16]);
    expect(inSight(6, shape, 0, 3 * row)).toEqual([0, 6]);
  });

  it("scrolls only as far as it takes to see a card", () => {
    const shape = shapeOf(100, 700);
    const row = shape.tall + CARD.gap;
    expect(scrolledTo(1, shape, 0, 600)).toBe(0);
    expect(scrolledTo(0, shape, 5 * row, 600)).toBe(0);
    expect(scrolledTo(40, shape, 0, 600)).toBe(11 * row + CARD.gap - 600);
  });

  it("moves by keys, and stops at its ends", () => {
    expect(moved(5, "ArrowRight", 20, 4)).toBe(6);
    expect(moved(5, "ArrowUp", 20, 4)).toBe(1);
    expect(moved(1, "ArrowUp", 20, 4)).toBeNull();
    expect(moved(19, "ArrowRight", 20, 4)).toBeNull();
    expect(moved(5, "Home", 20, 4)).toBe(0);
    expect(moved(5, "End", 20, 4)).toBe(19);
    expect(moved(2, "PageDown", 200, 4, 3)).toBe(14);
    expect(moved(18, "PageDown", 20, 4, 3)).toBe(19);
    expect(moved(5, "a", 20, 4)).toBeNull();
    expect(moved(0, "End", 0, 4)).toBeNull();
  });
});

describe("the outline of a mask", () => {
  const mask = (...rows: string[]) =>
    Uint8Array.from([...rows.join("")].map((sign) => (sign === "x" ? 1 : 0)));

  it("goes around a pixel through the middles of its sides", () => {
    expect(outline(mask("....", ".x..", "....", "...."), 4)).toEqual([
      [1.5, 1, 2, 1.5, 1.5, 2, 1, 1.5],
    ]);
  });

  it("is closed at the border, and empty of nothing", () => {
    expect(outline(mask("xx", "xx"), 2)).toHaveLength(1);
    expect(outline(mask("..", ".."), 2)).toEqual([]);
  });

  it("has a loop for every region and every hole", () => {
    expect(outline(mask("x..x", "....", "....", "x..x"), 4)).toHaveLength(4);
    expect(outline(mask("xxxx", "x..x", "x..x", "xxxx"), 4)).toHaveLength(2);
  });

  it("takes every side of the mask once", () => {
    const loops = outline(mask("x.", ".x"), 2);
    expect(loops.flat()).toHaveLength(2 * 8);
  });

  it("is read from bits", () => {
    expect([...unpacked(Uint8Array.of(0b10010000, 0b00010000), 1, 2)]).toEqual([0, 0, 0, 1]);
    expect(() => unpacked(Uint8Array.of(1), 1, 2)).toThrow("there is no mask 1");
  });
});

describe("what is shown", () => {
  const names: Names = { 0: "wheel", 3: "" };

  it("is all, the unnamed that fire, or a part's", () => {
    expect(shownFilters(sheet(), names, "all")).toEqual([0, 1, 2, 3, 4, 5]);
    expect(shownFilters(sheet(), names, "unnamed")).toEqual([1, 2, 4]);
    expect(shownFilters(sheet(), names, partChoice("wheel"))).toEqual([0]);
    expect(shownFilters(sheet(), names, "without")).toEqual([3]);
  });

  it("is the suggested with the largest overlap first", () => {
    expect(shownFilters(sheet(), {}, "suggested")).toEqual([2, 0, 4]);
  });

  it("counts what has a name, what answers to nothing, and what fires", () => {
    expect(progress(sheet(), names)).toEqual({ named: 1, without: 1, silent: 1, of: 5 });
    expect(told(sheet(), names)).toBe("1 of 5 named · 1 no part · 1 never fires");
  });

  it("goes on to the next without an answer, around the end", () => {
    const order = [0, 1, 2, 3, 4, 5];
    expect(nextOpen(sheet(), names, order, 2)).toBe(4);
    expect(nextOpen(sheet(), names, order, 4)).toBe(1);
    expect(nextOpen(sheet(), names, order, 1, -1)).toBe(4);
    expect(nextOpen(sheet(), { ...names, 1: "a", 2: "a", 4: "a" }, order, 0)).toBeNull();
    expect(nextOpen(sheet(), names, [2], 2)).toBeNull();
  });

  it("lists parts in use with how many filters each has", () => {
    expect(partsInUse({ 1: "wheel", 2: "", 3: "door", 4: "wheel" })).toEqual([
      ["door", 1],
      ["wheel", 2],
    ]);
  });
});

describe("completion", () => {
  it("knows names in use and labelled parts", () => {
    expect(vocabulary(sheet(), { 1: "door", 2: "wheel" })).toEqual([
      "door",
      "wheel",
      "wing mirror",
      MARKUP,
    ]);
  });

  it("offers what begins so first, then the text itself, then what contains it", () => {
    expect(offers(["wheel", "hub of a wheel"], " whe ").map(({ name }) => name)).toEqual([
      "wheel",
      "whe",
      "hub of a wheel",
    ]);
  });

  it("offers a known name itself where it is typed in full", () => {
    expect(offers(["wing mirror", "wing"], "wing")[0]).toEqual({ name: "wing", fresh: false });
    expect(offers(["wheel"], "door")).toEqual([{ name: "door", fresh: true }]);
    expect(offers(["wheel"], "  ")).toEqual([]);
  });
});

describe("what is told of a filter", () => {
  it("is its part where one is suggested, and only from the least overlap on", () => {
    expect(suggestion(sheet(), 2)).toEqual({ part: "wheel", iou: 0.2 });
    expect(suggestion(sheet(), 1)).toBeNull();
    expect(offered(sheet(), 1)).toEqual([{ part: "wing mirror", iou: 0.03 }]);
  });

  it("says how it stands in words", () => {
    expect(answer(sheet(), { 0: MARKUP }, 0)).toEqual({ words: MARKUP, kind: "named" });
    expect(answer(sheet(), { 0: "" }, 0).kind).toBe("without");
    expect(answer(sheet(), {}, 5)).toEqual({ words: "never fires", kind: "silent" });
    expect(spoken(sheet(), {}, 2)).toBe("Filter 2: unnamed, suggested wheel, IoU 0.2");
    expect(spoken(sheet(), {}, 3)).toBe("Filter 3: unnamed");
  });

  it("names chance beside the findings", () => {
    expect(luck(sheet())).toBe(
      "3 of 6 filters overlap a part with an IoU of 0.04 or more; with labels exchanged between " +
        "images, 1 (17 %) would by chance.",
    );
    expect(luck({ ...sheet(), lucky: null })).toMatch(/0.04 or more\.$/);
    expect(luck({ ...sheet(), best: [] })).toBe("");
  });

  it("finds each filter's masks behind those before it", () => {
    expect(firstMasks(sheet())).toEqual([0, 2, 3, 5, 6, 7]);
  });

  it("writes the file that the kernel reads", () => {
    expect(JSON.parse(labelsFile(sheet(), { 10: "door", 2: "wheel", 1: "" }))).toEqual({
      format: 1,
      layer: "conv5",
      filters: 6,
      network: "abc",
      names: { 2: "wheel", 10: "door" },
      without: [1],
    });
  });
});

class Model {
  readonly state: State = { sheet: sheet(), live: true, names: {}, view: {} };
  readonly sent: Record<string, unknown>[] = [];
  readonly listeners = new Map<string, ((message?: unknown) => void)[]>();
  saved = 0;
  get = (name: string) => this.state[name];
  set = (name: string, value: unknown) => {
    this.state[name] = value;
  };
  save_changes = () => {
    this.saved++;
  };
  send = (message: Record<string, unknown>) => this.sent.push(message);
  on = (event: string, act: () => void) =>
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), act]);
  off = () => undefined;
  tell(event: string, message?: unknown): void {
    for (const act of this.listeners.get(event) ?? []) act(message);
  }
  answer(kind: string, fields: object = {}): void {
    this.tell("msg:custom", { ...fields, kind, id: this.sent.at(-1)?.id });
  }
}

describe("naming", () => {
  let model: Model;
  let session: Session;
  const complaints: string[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    complaints.length = 0;
    model = new Model();
    session = new Session(model as unknown as AnyModel<State>, (error) =>
      complaints.push(error instanceof Error ? error.message : String(error)),
    );
  });

  afterEach(() => {
    session.close();
    vi.useRealTimers();
  });

  it("shows the name at once, tells the kernel, and goes on", () => {
    session.name(0, "wheel");
    expect(session.names).toEqual({ 0: "wheel" });
    expect(session.at).toBe(1);
    expect(model.sent).toMatchObject([{ kind: "name", filter: 0, name: "wheel" }]);
  });

  it("takes a refused name back and says why", async () => {
    session.name(0, "wheel");
    model.answer("error", { text: "got a name; expected another; choose it" });
    await vi.advanceTimersByTimeAsync(0);
    expect(session.names).toEqual({});
    expect(session.undoable).toBe(false);
    expect(complaints).toEqual(["got a name; expected another; choose it"]);
  });

  it("keeps names on the page where the kernel is lost", async () => {
    session.name(0, "wheel");
    session.name(1, "door");
    await vi.advanceTimersByTimeAsync(6000);
    expect(model.state.names).toEqual({ 0: "wheel", 1: "door" });
    expect(session.names).toEqual({ 0: "wheel", 1: "door" });
    expect(complaints[0]).toMatch(/kernel does not answer.*Download/);
  });

  it("keeps a name in what is saved until the kernel has it", async () => {
    session.name(0, "wheel");
    expect(model.state.view.sent).toEqual({ 0: "wheel" });
    model.state.names = { 0: "wheel" };
    model.answer("result");
    await vi.advanceTimersByTimeAsync(0);
    expect(model.state.view.sent).toEqual({});
    expect(session.names).toEqual({ 0: "wheel" });
  });

  it("tells the kernel again what a reload came between", () => {
    session.close();
    model.state.view = { sent: { 0: "wheel", 3: null } };
    model.sent.length = 0;
    session = new Session(model as unknown as AnyModel<State>, () => undefined);
    expect(session.names).toEqual({ 0: "wheel" });
    expect(model.sent).toMatchObject([
      { kind: "name", filter: 0, name: "wheel" },
      { kind: "name", filter: 3, name: null },
    ]);
  });

  it("asks no kernel on a page without one", () => {
    model.state.live = false;
    session.name(0, "wheel");
    expect(model.sent).toEqual([]);
    expect(model.state.names).toEqual({ 0: "wheel" });
  });

  it("undoes answers one after the other", () => {
    session.name(0, "wheel");
    session.name(1, "");
    session.name(0, "door");
    for (const names of [{ 0: "wheel", 1: "" }, { 0: "wheel" }, {}]) {
      session.undo();
      expect(session.names).toEqual(names);
    }
    expect(session.undoable).toBe(false);
    expect(session.at).toBe(0);
  });

  it("stays where a name is taken away, or given again", () => {
    session.name(0, "wheel");
    session.choose(0);
    session.name(0, "wheel");
    expect(model.sent).toHaveLength(1);
    session.name(0, null);
    expect([session.at, session.names]).toEqual([0, {}]);
  });

  it("goes on in the order shown while named filters leave it", () => {
    session.showOnly("suggested");
    expect([session.order, session.at]).toEqual([[2, 0, 4], 2]);
    session.name(2, "wheel");
    expect([session.order, session.at]).toEqual([[0, 4], 0]);
    session.undo();
    expect(session.at).toBe(2);
  });

  it("shows all once the last filter of a part has another name", () => {
    session.name(0, "wheel");
    session.showOnly(partChoice("wheel"));
    expect(session.order).toEqual([0]);
    session.name(0, "door");
    expect(session.order).toHaveLength(6);
  });

  it("follows the kernel's names", () => {
    model.state.names = { 4: "door" };
    model.tell("change:names");
    expect(session.names).toEqual({ 4: "door" });
  });
});
