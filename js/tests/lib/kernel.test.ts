import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  Cancelled,
  Kernel,
  KernelError,
  PATIENCE,
  Silence,
  stands,
  Unheard,
} from "../../src/lib/kernel.ts";

import { howFar } from "../../src/lib/view.ts";

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

  it("that is not there is said to be missing at once", async () => {
    const model = { send: () => undefined, on: () => undefined, off: () => undefined };
    const joined = { contains: () => true };
    stands(model, { classList: joined } as never);
    const alone = new Kernel(model as never, () => undefined);
    await expect(alone.ask("expand")).rejects.toThrowError(/^This page has no kernel/);
    await expect(alone.wish("check")).rejects.toBeInstanceOf(Unheard);
    expect(alone.busy).toEqual([]);
    joined.contains = () => false;
    void alone.ask("expand").catch(() => undefined);
    expect(alone.busy).toEqual(["expand"]);
    alone.close();
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

  it("says how far it is and how long that takes, which passes", async () => {
    const asked = kernel.ask("explain");
    expect(kernel.news).toEqual({});
    await vi.advanceTimersByTimeAsync(2000);
    hear({ kind: "accepted", id: sent[0]?.id, done: 3, total: 12, unit: "gate", left: 6 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(kernel.news).toMatchObject({ done: 3, left: 6, heard: Date.now() - 1000 });
    expect(Date.now() - kernel.since).toBe(3000);
    expect(howFar(kernel)).toBe("3 of 12 gates, about 5 s left");
    hear({ kind: "result", id: sent[0]?.id });
    await asked;
    expect(kernel.news).toEqual({});
    expect(kernel.since).toBe(Date.now());
  });

  it("is stopped by a person, and when is known", async () => {
    kernel.stop();
    expect(kernel.givenUp).toBe(0); // there was nothing to give up
    const rejected = expect(kernel.ask("explain")).rejects.toBeInstanceOf(Cancelled);
    kernel.stop();
    await rejected;
    expect(kernel.givenUp).toBe(Date.now());
  });

  it("that is asked again by a person has forgotten what was given up, by a wish it has not", () => {
    void kernel.ask("explain").catch(() => undefined);
    kernel.stop();
    void kernel.wish("check").catch(() => undefined);
    expect(kernel.givenUp).toBe(Date.now());
    void kernel.ask("explain").catch(() => undefined);
    expect(kernel.givenUp).toBe(0);
  });
});
