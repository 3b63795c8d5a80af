import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  brushAt,
  cellAt,
  cellsBetween,
  emptyMask,
  movedBy,
  outline,
  sameMask,
  shareOf,
  stroked,
} from "../src/failure_analysis/mask.ts";
import { Asker, type Scores, Session } from "../src/failure_analysis/session.ts";
import { moved, verdict, where } from "../src/failure_analysis/words.ts";

const GRID = 8;
const at = (row: number, column: number) => ({ row, column });
const covered = (mask: Uint8Array) => [...mask].flatMap((value, i) => (value ? [i] : []));

describe("a mask", () => {
  it("finds the cell under a place, those at the border for places outside", () => {
    const box = { width: 160, height: 80 };
    expect(cellAt(25, 25, box, GRID)).toEqual(at(2, 1));
    expect(cellAt(-4, 500, box, GRID)).toEqual(at(7, 0));
    expect(cellAt(160, 80, box, GRID)).toEqual(at(7, 7));
  });

  it("cuts the brush at the border", () => {
    expect(brushAt(at(4, 4), 3, GRID)).toEqual({ row: 3, column: 3, rows: 3, columns: 3 });
    expect(brushAt(at(0, 7), 3, GRID)).toEqual({ row: 0, column: 6, rows: 2, columns: 2 });
    expect(brushAt(at(2, 2), 2, GRID)).toEqual({ row: 2, column: 2, rows: 2, columns: 2 });
  });

  it("leaves no gap between two cells, however fast the pointer", () => {
    const cells = cellsBetween(at(0, 0), at(2, 7));
    expect(cells[0]).toEqual(at(0, 0));
    expect(cells.at(-1)).toEqual(at(2, 7));
    for (const [i, cell] of cells.slice(1).entries()) {
      expect(Math.abs(cell.row - (cells[i]?.row ?? 9))).toBeLessThanOrEqual(1);
      expect(Math.abs(cell.column - (cells[i]?.column ?? 9))).toBeLessThanOrEqual(1);
    }
    expect(cellsBetween(at(3, 3), at(3, 3))).toEqual([at(3, 3)]);
  });

  it("is covered by a stroke and uncovered by another, and never changed in place", () => {
    const none = emptyMask(GRID);
    const some = stroked(none, GRID, at(1, 1), at(1, 3), 1, true);
    expect(covered(some)).toEqual([9, 10, 11]);
    expect(covered(none)).toEqual([]);
    expect(covered(stroked(some, GRID, at(1, 2), at(1, 2), 1, false))).toEqual([9, 11]);
    expect(shareOf(some)).toBe(3 / 64);
    expect(sameMask(some, some.slice())).toBe(true);
  });

  it("is moved over with the arrow keys, not past the border", () => {
    expect(movedBy("ArrowDown", at(3, 3), 2, GRID)).toEqual(at(5, 3));
    expect(movedBy("ArrowLeft", at(3, 1), 4, GRID)).toEqual(at(3, 0));
    expect(movedBy("Enter", at(3, 3), 1, GRID)).toBeNull();
  });

  it("has an outline of joined lines", () => {
    const square = stroked(emptyMask(GRID), GRID, at(2, 2), at(2, 2), 2, true);
    expect(outline(square, GRID)).toHaveLength(4);
    expect(outline(square, GRID)).toContainEqual([2, 2, 4, 2]);
    expect(outline(square, GRID)).toContainEqual([4, 2, 4, 4]);
    expect(outline(emptyMask(GRID), GRID)).toEqual([]);
    expect(outline(new Uint8Array(64).fill(1), GRID)).toHaveLength(4);
  });
});

const cat = { index: 0, name: "cat", probability: 0.99, logit: 8 };
const dog = { index: 1, name: "dog", probability: 0.01, logit: 2.5 };
const start: Scores = { named: cat, wrong: cat, right: dog };

describe("the words of the brush", () => {
  it("say who is named before and after", () => {
    expect(verdict(start, null, 0)).toBe(
      "Named cat (99 %). Draw over the image to cover a region.",
    );
    const likely = { ...dog, probability: 0.65 };
    const now = { named: likely, wrong: cat, right: likely };
    expect(verdict(start, now, 0.06)).toBe("With 6.0 % covered it is rightly named dog (65 %).");
    expect(verdict(start, start, 0.5)).toBe("With 50 % covered it is still named cat (99 %).");
    const cow = { index: 7, name: "cow", probability: 0.5, logit: 3 };
    expect(verdict(start, { ...start, named: cow }, 0.5)).toContain("it is named cow (50 %).");
  });

  it("call nothing right that is named instead of a right class", () => {
    const likely = { ...dog, probability: 0.65 };
    const now = { named: likely, wrong: cat, right: likely };
    expect(verdict(start, now, 0.06, true)).toBe("With 6.0 % covered it is named dog (65 %).");
  });

  it("say how a score moved, once where it did not", () => {
    expect(moved(cat, null)).toBe("99 %, logit 8");
    expect(moved(cat, { ...cat, probability: 0.35, logit: -1.234 })).toBe(
      "99 % → 35 %, logit 8 → −1.23",
    );
    expect(moved(cat, { ...cat, logit: 8.001 })).toBe("99 %, logit 8");
  });

  it("say where the brush is", () => {
    expect(where(at(0, 4), true)).toBe("row 1, column 5, covered");
    expect(where(at(0, 4), false)).toBe("row 1, column 5");
  });
});

describe("questions about what is covered", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("are one at a time, the last of those that came meanwhile", async () => {
    const asked: number[] = [];
    const ends: (() => void)[] = [];
    const asker = new Asker<number>((value) => {
      asked.push(value);
      return new Promise<void>((end) => ends.push(end));
    }, 50);
    for (const value of [1, 2, 3]) asker.want(value);
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toEqual([3]);
    for (const value of [4, 5]) asker.want(value);
    await vi.advanceTimersByTimeAsync(500);
    expect(asked).toEqual([3]);
    expect(asker.busy).toBe(true);
    ends[0]?.();
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toEqual([3, 5]);
    ends[1]?.();
    await vi.advanceTimersByTimeAsync(50);
    expect(asker.busy).toBe(false);
  });

  it("are dropped when the view closes", async () => {
    const ask = vi.fn(async () => undefined);
    const asker = new Asker<number>(ask, 50);
    asker.want(1);
    asker.close();
    await vi.advanceTimersByTimeAsync(500);
    expect(ask).not.toHaveBeenCalled();
  });
});

describe("the brush's session", () => {
  const sent: { message: Record<string, unknown>; buffers: ArrayBuffer[] }[] = [];
  const listeners = new Map<string, (value: unknown) => void>();
  const complaints: unknown[] = [];
  let state: Record<string, unknown>;
  let session: Session;

  const model = {
    get: (name: string) => state[name],
    set: (name: string, value: unknown) => {
      state[name] = value;
      listeners.get(`change:${name}`)?.(undefined);
    },
    save_changes: () => undefined,
    send: (message: Record<string, unknown>, _: unknown, buffers: ArrayBuffer[]) =>
      sent.push({ message, buffers }),
    on: (event: string, act: (value: unknown) => void) => listeners.set(event, act),
    off: () => undefined,
  };
  const answer = (kind: string, fields = {}) =>
    listeners.get("msg:custom")?.({ ...fields, kind, id: sent.at(-1)?.message.id });

  beforeEach(() => {
    vi.useFakeTimers();
    sent.length = complaints.length = 0;
    listeners.clear();
    const scores = { start, now: null, share: 0 };
    const none = new Uint8Array(GRID * GRID);
    state = { grid: GRID, scores, mask: none, fill: "mean", fills: {}, live: true, view: {} };
    session = new Session(model as never as ConstructorParameters<typeof Session>[0], (error) =>
      complaints.push(error),
    );
  });
  afterEach(() => {
    session.close();
    vi.useRealTimers();
  });

  const draw = (row: number, column: number) => {
    session.begin();
    session.stroke(at(row, column), at(row, column));
  };

  it("sends the mask as bytes beside the question", async () => {
    session.resize(1);
    draw(0, 2);
    await vi.advanceTimersByTimeAsync(100);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.message).toMatchObject({ kind: "occlude", fill: "mean" });
    expect(covered(new Uint8Array(sent[0]?.buffers[0] as ArrayBuffer))).toEqual([2]);
  });

  it("takes back stroke by stroke and clears at once", () => {
    session.resize(1);
    draw(0, 0);
    draw(0, 2);
    session.undo();
    expect(covered(session.mask)).toEqual([0]);
    session.clear();
    expect(session.share).toBe(0);
    session.undo();
    expect(covered(session.mask)).toEqual([0]);
    session.undo();
    expect(session.canUndo).toBe(false);
  });

  it("keeps what is drawn while the kernel is at work, and takes its mask otherwise", async () => {
    const full = new Uint8Array(GRID * GRID).fill(1);
    session.resize(1);
    draw(0, 0);
    await vi.advanceTimersByTimeAsync(100);
    model.set("mask", full);
    expect(covered(session.mask)).toEqual([0]);
    answer("result");
    await vi.advanceTimersByTimeAsync(100);
    expect(session.waits).toBe(false);
    model.set("mask", full);
    expect(session.share).toBe(1);
  });

  it("asks again for another fill, only where something is covered", async () => {
    session.fillWith("blur");
    await vi.advanceTimersByTimeAsync(200);
    expect(sent).toHaveLength(0);
    draw(3, 3);
    await vi.advanceTimersByTimeAsync(100);
    answer("result");
    session.fillWith("mean");
    await vi.advanceTimersByTimeAsync(200);
    expect(sent.map(({ message }) => message.fill)).toEqual(["blur", "mean"]);
  });

  it("says the kernel's error and goes on", async () => {
    draw(3, 3);
    await vi.advanceTimersByTimeAsync(100);
    answer("error", { text: "got a mask of 9 bytes" });
    await vi.advanceTimersByTimeAsync(100);
    expect(String(complaints[0])).toContain("got a mask of 9 bytes");
    draw(5, 5);
    await vi.advanceTimersByTimeAsync(100);
    expect(sent).toHaveLength(2);
  });

  it("holds the brush between its smallest and its largest", () => {
    session.resize(99);
    expect(session.size).toBe(28);
    session.resize(-3);
    expect(session.size).toBe(1);
    state.view = { size: "wide" };
    expect(session.size).toBe(6);
  });

  it("begins without a region where the saved one does not fit", () => {
    state.mask = new Uint8Array(9).fill(1);
    const other = new Session(model as never, () => undefined);
    expect(other.share).toBe(0);
    other.close();
  });
});
