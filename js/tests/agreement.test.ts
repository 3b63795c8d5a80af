import { describe, expect, it } from "vitest";
import { ClassChecks } from "../src/channels/agreement.ts";
import { type Check, lowest } from "../src/lib/faith.ts";

const check = (r: number | null): Check => ({ r, count: 8, parts: "channels", seconds: 0.1 });
const named = (name: string, r?: number | null) => ({
  name,
  check: r === undefined ? null : check(r),
});

describe("the class that agrees least", () => {
  it("is named among all", () => {
    const found = lowest([named("house", 0.9), named("lake", -0.2), named("park", 0.4)]);
    expect(found).toEqual({ check: check(-0.2), subject: "lake, the lowest of 3," });
  });

  it("is the lowest of those that were checked", () => {
    const found = lowest([named("house", 0.9), named("lake"), named("park", 0.4)]);
    expect(found?.subject).toBe("park, the lowest of the 2 checked,");
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

/** Three classes at one layer, checked in turn; the kernel refuses class 7. */
function made(checkable: boolean) {
  const known: Record<string, Check> = {};
  const asked: unknown[] = [];
  const complaints: unknown[] = [];
  const answer = (_: string, fields: { target: number; layer: string }) => {
    asked.push(fields);
    if (fields.target === 7) return Promise.reject(new Error("no image of it"));
    const found = check(0.5);
    known[`${fields.layer}|${fields.target}`] = found;
    return Promise.resolve(found);
  };
  const targets = [4, 7, 2];
  const session = {
    checkable,
    shown: { classes: ["a", "b", "c"] },
    kernel: { busy: [], ask: answer, wish: answer },
    live: true,
    check: (key: string) => known[key] ?? null,
    spot: (i: number) => {
      const target = targets[i];
      const layer = "conv5";
      return target === undefined ? null : { key: `${layer}|${target}`, fields: { target, layer } };
    },
    on: (listener: (change: string) => void) => listeners.push(listener),
    tell: (change: string) => listeners.forEach((listener) => void listener(change)),
    complain: (error: unknown) => complaints.push(error),
  };
  const listeners: ((change: string) => void)[] = [];
  const checks = new ClassChecks(session as never, () => [0, 1, 2, 3]);
  return { checks, asked, complaints };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("checks of classes", () => {
  it("ask for each class by its index among all, and go on where one cannot be checked", async () => {
    const { checks, asked, complaints } = made(true);
    checks.start();
    await settled();
    const at = (target: number) => ({ target, layer: "conv5" });
    expect(asked).toEqual([at(4), at(7), at(2)]);
    expect(complaints).toHaveLength(1);
    expect([0, 1, 2, 3].map((place) => checks.check(place)?.r)).toEqual([
      0.5,
      undefined,
      0.5,
      undefined,
    ]);
    expect(checks.state(1)).toBe("idle");
  });

  it("are not made by themselves, and not offered, where there is nothing to hold classes against", async () => {
    const { checks, asked } = made(false);
    checks.start();
    await settled();
    expect(asked).toEqual([]);
    expect(checks.state(0)).toBe("still");
  });

  it("that a person asks for are those that are missing, up to one that fails", async () => {
    const { checks, asked } = made(true);
    await checks.run(0, 2, 1, 0);
    expect(asked.map((one) => (one as { target: number }).target)).toEqual([4, 2, 7]);
  });
});
