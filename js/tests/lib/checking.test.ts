import { describe, expect, it } from "vitest";
import { Checks } from "../../src/lib/checking.ts";
import type { Check } from "../../src/lib/faith.ts";
import { Cancelled, KernelError, Unheard } from "../../src/lib/kernel.ts";

const FOUND: Check = { r: 0.9, count: 8, parts: "channels", seconds: 0.1 };

/** A view of two concepts whose kernel answers as it is told. */
function made(answer: (kind: "ask" | "wish", key: string) => Promise<Check>, first?: number) {
  const asked: string[] = [];
  const complaints: unknown[] = [];
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
    kernel: { busy, ask: put("ask"), wish: put("wish") },
    check: (key: string) => known.get(key) ?? null,
    complain: (error: unknown) => complaints.push(error),
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
  return { checks, asked, complaints, busy, tell: view.tell };
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

  it("that fail are complained of once and not tried again by themselves", async () => {
    const { checks, asked, complaints } = made(() => Promise.reject(new KernelError("no")));
    checks.start();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
    expect(complaints).toHaveLength(2);
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
      const { checks, asked, complaints } = made(() => Promise.reject(new Reason("given up")));
      checks.start();
      await settled();
      expect(asked).toEqual(["wish a"]);
      expect(complaints).toEqual([]);
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
