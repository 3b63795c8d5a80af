import { describe, expect, it } from "vitest";
import { Checks, lowest } from "../../src/lib/checks.ts";
import { Cancelled, KernelError, Unheard } from "../../src/lib/kernel.ts";
import type { Check } from "../../src/lib/trust.ts";
import { WORDS } from "./words_of_trust.ts";

describe("what agrees least", () => {
  const check = (r: number | null): Check => ({ r, count: 8, parts: "channels", seconds: 0.1 });
  const named = (name: string, r?: number | null) => ({
    name,
    check: r === undefined ? null : check(r),
  });

  it("is named among all", () => {
    const found = lowest([named("house", 0.9), named("lake", -0.2), named("park", 0.4)]);
    expect(found).toEqual({ check: check(-0.2), subject: "lake, the lowest of 3" });
  });

  it("is the lowest of those that were checked", () => {
    const found = lowest([named("house", 0.9), named("lake"), named("park", 0.4)]);
    expect(found?.subject).toBe("park, the lowest of the 2 checked");
  });

  it("stands for itself where no other is known", () => {
    expect(lowest([named("house"), named("lake", 0.4)])?.subject).toBe("lake");
  });

  it("is none that cannot be compared, as long as others can", () => {
    expect(lowest([named("house", null), named("lake", 0.4)])?.check.r).toBe(0.4);
    expect(lowest([named("house", null)])?.check.r).toBeNull();
  });

  it("is nobody where nothing is known", () => {
    expect(lowest([named("house")])).toBeNull();
  });
});

const FOUND: Check = { r: 0.9, count: 8, parts: "channels", seconds: 0.1 };

/** A view of two concepts whose kernel answers as it is told. */
function made(answer: (kind: "ask" | "wish", key: string) => Promise<Check>, first?: number) {
  const asked: string[] = [];
  const known = new Map<string, Check>();
  const busy: string[] = [];
  const put = (how: "ask" | "wish") => async (_: string, fields: { key: string }) => {
    asked.push(`${how} ${fields.key}`);
    const found = await answer(how, fields.key);
    known.set(fields.key, found);
    return found;
  };
  const view = {
    live: true,
    words: WORDS,
    kernel: { busy, ask: put("ask"), wish: put("wish") },
    check: (key: string) => known.get(key) ?? null,
    on: (listener: (change: string) => void) => listeners.push(listener),
    tell: (change: string) => listeners.forEach((listener) => void listener(change)),
  };
  const listeners: ((change: string) => void)[] = [];
  const checks = new Checks<string>(view as never, {
    spot: (key) => (key === "" ? null : { key, fields: { key } }),
    wanted: () => ["", "a", "b"],
    renewed: "tree",
    beside: ["pictures"],
    ...(first === undefined ? {} : { first }),
  });
  return { checks, asked, busy, tell: view.tell };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("checks against ablation", () => {
  it("are made by themselves, one after the other, once the view is on the screen", async () => {
    const { checks, asked, tell } = made(() => Promise.resolve(FOUND));
    tell("look");
    expect(asked).toEqual([]);
    checks.start();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
  });

  it("wait to be asked for once one took longer than a second", async () => {
    const { checks, asked } = made(() => Promise.resolve({ ...FOUND, seconds: 1.5 }));
    checks.start();
    await settled();
    await checks.run("b");
    expect(asked).toEqual(["wish a", "ask b"]);
  });

  it("go on after a first one that may take longer, as long as the next is quick", async () => {
    const { checks, asked } = made(() => Promise.resolve({ ...FOUND, seconds: 1.5 }), 2);
    checks.start();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
    const slow = made(() => Promise.resolve({ ...FOUND, seconds: 2.5 }), 2);
    slow.checks.start();
    await settled();
    expect(slow.asked).toEqual(["wish a"]);
  });

  it("do not stand in the way of what a person waits for", async () => {
    const { checks, asked, busy, tell } = made(() => Promise.resolve(FOUND));
    busy.push("expand");
    checks.start();
    expect(asked).toEqual([]);
    busy[0] = "pictures";
    tell("busy");
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
  });

  it("that fail say what they lacked beside their button, and are not tried again", async () => {
    const { checks, asked } = made((_, key) => Promise.reject(new KernelError(`no ${key}`)));
    checks.start();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
    expect(checks.needs("a")).toBe("no a");
    expect(checks.needs("a", "b", "a")).toBe("no a no b");
  });

  it("say what they take once one was made, and before that nothing of their own", async () => {
    const { checks } = made(() => Promise.resolve(FOUND));
    expect(checks.needs("b")).toBeNull();
    await checks.run("a");
    expect(checks.needs("b")).toBe("takes about 0.1 s");
  });

  it("that failed may be tried again once the view has changed", async () => {
    const { checks, asked, tell } = made(() => Promise.reject(new KernelError("no")));
    checks.start();
    await settled();
    tell("look");
    expect(asked).toHaveLength(2);
    tell("tree");
    await settled();
    expect(asked).toHaveLength(4);
  });

  it("are left to be asked for once one was cancelled or never heard", async () => {
    for (const Reason of [Cancelled, Unheard]) {
      const { checks, asked } = made(() => Promise.reject(new Reason("given up")));
      checks.start();
      await settled();
      expect(asked).toEqual(["wish a"]);
      expect(checks.needs("a")).toBeNull();
    }
  });

  it("that gave way to other work are tried again", async () => {
    let times = 0;
    const { checks, asked, busy, tell } = made(() => {
      times += 1;
      if (times > 1) return Promise.resolve(FOUND);
      busy.push("expand");
      return Promise.reject(new Cancelled("given up"));
    });
    checks.start();
    await settled();
    expect(asked).toEqual(["wish a"]);
    busy.length = 0;
    tell("busy");
    await settled();
    expect(asked).toEqual(["wish a", "wish a", "wish b"]);
  });
});
