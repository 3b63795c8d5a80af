import { describe, expect, it, vi } from "vitest";
import { debounced } from "../../src/lib/debounced.ts";

describe("a pause", () => {
  it("lets only the last call through", () => {
    vi.useFakeTimers();
    const act = vi.fn();
    const later = debounced(act, 100);
    for (let i = 0; i < 5; i++) later();
    vi.advanceTimersByTime(99);
    expect(act).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(act).toHaveBeenCalledTimes(1);
    later();
    later.cancel();
    vi.advanceTimersByTime(500);
    expect(act).toHaveBeenCalledTimes(1);
    vi.useRealTimers();
  });

  it("says whether a call is still to come", () => {
    vi.useFakeTimers();
    const said: boolean[] = [];
    const later = debounced(() => said.push(later.waits()), 100);
    expect(later.waits()).toBe(false);
    later();
    expect(later.waits()).toBe(true);
    vi.advanceTimersByTime(100);
    expect([...said, later.waits()]).toEqual([false, false]);
    later();
    later.cancel();
    expect(later.waits()).toBe(false);
    vi.useRealTimers();
  });
});
