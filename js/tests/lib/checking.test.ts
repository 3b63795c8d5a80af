import { describe, expect, it } from "vitest";
import { Checking } from "../../src/lib/checking.ts";
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
  };
  const wishes = {
    told: () => checking.consider(),
    wanted: () => ["a", "b"].map((key) => ({ key, fields: { key } })),
  };
  const checking = new Checking(view as never, wishes, ["pictures"], first);
  return { checking, asked, complaints, busy };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("checks against ablation", () => {
  it("are made by themselves, one after the other, once the view is on the screen", async () => {
    const { checking, asked } = made(() => Promise.resolve(FOUND));
    checking.consider();
    expect(asked).toEqual([]);
    checking.start();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
  });

  it("wait to be asked for once one took longer than a second", async () => {
    const { checking, asked } = made(() => Promise.resolve({ ...FOUND, seconds: 1.5 }));
    checking.start();
    await settled();
    await checking.run({ key: "b", fields: { key: "b" } });
    expect(asked).toEqual(["wish a", "ask b"]);
  });

  it("go on after a first one that may take longer, as long as the next is quick", async () => {
    const { checking, asked } = made(() => Promise.resolve({ ...FOUND, seconds: 1.5 }), 2);
    checking.start();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
    const slow = made(() => Promise.resolve({ ...FOUND, seconds: 2.5 }), 2);
    slow.checking.start();
    await settled();
    expect(slow.asked).toEqual(["wish a"]);
  });

  it("do not stand in the way of what a person waits for", async () => {
    const { checking, asked, busy } = made(() => Promise.resolve(FOUND));
    busy.push("expand");
    checking.start();
    expect(asked).toEqual([]);
    busy[0] = "pictures";
    checking.consider();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
  });

  it("that fail are complained of once and not tried again by themselves", async () => {
    const { checking, asked, complaints } = made(() => Promise.reject(new KernelError("no")));
    checking.start();
    await settled();
    expect(asked).toEqual(["wish a", "wish b"]);
    expect(complaints).toHaveLength(2);
  });

  it("are left to be asked for once one was cancelled or never heard", async () => {
    for (const Reason of [Cancelled, Unheard]) {
      const { checking, asked, complaints } = made(() => Promise.reject(new Reason("given up")));
      checking.start();
      await settled();
      expect(asked).toEqual(["wish a"]);
      expect(complaints).toEqual([]);
    }
  });

  it("that gave way to other work are tried again", async () => {
    let times = 0;
    const { checking, asked, busy } = made(() => {
      times += 1;
      if (times > 1) return Promise.resolve(FOUND);
      busy.push("expand");
      return Promise.reject(new Cancelled("given up"));
    });
    checking.start();
    await settled();
    expect(asked).toEqual(["wish a"]);
    busy.length = 0;
    checking.consider();
    await settled();
    expect(asked).toEqual(["wish a", "wish a", "wish b"]);
  });
});
