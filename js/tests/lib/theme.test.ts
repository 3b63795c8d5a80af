import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { followTheme } from "../../src/lib/theme.ts";

type Listen = (event: unknown) => void;

describe("a view that follows the page's theme", () => {
  let ground = "";
  let told: () => void = () => {};
  let sized: () => void = () => {};
  let loaded: Listen = () => {};
  let stops = 0;
  const element = { isConnected: true };
  const act = vi.fn();

  /** An observer whose word is given by hand. */
  const observer = (hear: (tell: () => void) => void) =>
    class {
      constructor(tell: () => void) {
        hear(tell);
      }
      observe() {}
      disconnect() {
        stops++;
      }
    };
  const listens = (hear: (act: Listen) => void) => ({
    addEventListener: (_: string, act: Listen) => hear(act),
    removeEventListener: () => stops++,
  });
  const sheet = { matches: () => true };
  const picture = { matches: () => false };

  beforeEach(() => {
    vi.useFakeTimers();
    act.mockClear();
    element.isConnected = true;
    [ground, stops] = ["white", 0];
    vi.stubGlobal("getComputedStyle", () => ({ getPropertyValue: () => ground }));
    vi.stubGlobal(
      "MutationObserver",
      observer((tell) => {
        told = tell;
      }),
    );
    vi.stubGlobal(
      "ResizeObserver",
      observer((tell) => {
        sized = tell;
      }),
    );
    vi.stubGlobal("matchMedia", () => listens(() => {}));
    vi.stubGlobal("document", {
      ...listens((act) => {
        loaded = act;
      }),
      documentElement: {},
      body: {},
    });
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const follow = () => followTheme(element as unknown as Element, act);

  it("is painted at once where the sheet is in force by the time of its name", () => {
    follow();
    ground = "black";
    told();
    expect(act).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(10_000);
    expect(act).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is painted whenever the sheet comes, in parts too, and not before", () => {
    follow();
    told();
    vi.advanceTimersByTime(2000);
    expect(act).not.toHaveBeenCalled();
    ground = "grey"; // the old sheet has gone
    vi.advanceTimersByTime(200);
    expect(act).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(2000);
    ground = "black";
    vi.advanceTimersByTime(200);
    expect(act).toHaveBeenCalledTimes(2);
  });

  it("is painted when a sheet is loaded, however late", () => {
    follow();
    told();
    vi.advanceTimersByTime(60_000);
    ground = "black";
    loaded({ target: picture });
    expect(act).not.toHaveBeenCalled();
    loaded({ target: sheet });
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("is painted when it is back on the page, if colours have changed meanwhile", () => {
    follow();
    element.isConnected = false;
    ground = "";
    told();
    vi.advanceTimersByTime(10_000);
    sized();
    expect(act).not.toHaveBeenCalled();
    element.isConnected = true;
    ground = "white";
    sized();
    expect(act).not.toHaveBeenCalled();
    ground = "black";
    sized();
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("listens to nothing when it has left", () => {
    const leave = follow();
    told();
    leave();
    expect([stops, vi.getTimerCount()]).toEqual([4, 0]);
  });
});
