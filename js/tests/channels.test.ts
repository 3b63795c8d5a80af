import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ClassChecks } from "../src/channels/agreement.ts";
import { gathered } from "../src/channels/matrix/painter.ts";
import { type MatrixPayload, shadesOf, Weights } from "../src/channels/matrix/weights.ts";
import {
  binsOf,
  cellAt,
  clamped,
  type Extent,
  LARGEST,
  panned,
  revealing,
  tickStep,
  whole,
  zoomed,
} from "../src/channels/matrix/window.ts";
import { STEPS, signedColours, signedGradient } from "../src/channels/signed.ts";
import { diagram, misfit } from "../src/channels/venn/layout.ts";
import { stepAt, thresholdAt } from "../src/channels/venn/limit.ts";
import { type Circle, membersAt, regionsOf } from "../src/channels/venn/regions.ts";
import { regionName } from "../src/channels/venn/session.ts";
import { ordered, upset } from "../src/channels/venn/upset.ts";
import { inflated } from "../src/lib/pixels.ts";
import type { Check } from "../src/lib/trust.ts";
import { WORDS } from "./lib/words_of_trust.ts";

const circle = (x: number, y: number, r: number): Circle => ({ x, y, r });
const area = (circles: Circle[], key: string) => regionsOf(circles).get(key)?.area ?? 0;

describe("regions of circles", () => {
  it("of one circle are the circle", () => {
    expect(area([circle(3, 4, 2)], "0")).toBeCloseTo(4 * Math.PI);
  });

  it("have the areas of a lens and two moons", () => {
    // two unit circles a unit apart overlap in 2π/3 − √3/2
    const two = [circle(0, 0, 1), circle(1, 0, 1)];
    const lens = (2 * Math.PI) / 3 - Math.sqrt(3) / 2;
    expect(area(two, "0.1")).toBeCloseTo(lens);
    expect(area(two, "0")).toBeCloseTo(Math.PI - lens);
    expect(area(two, "1")).toBeCloseTo(Math.PI - lens);
  });

  it("of a circle in another are a disc and a ring", () => {
    const nested = [circle(0, 0, 2), circle(0.5, 0, 1)];
    expect(area(nested, "0.1")).toBeCloseTo(Math.PI);
    expect(area(nested, "0")).toBeCloseTo(3 * Math.PI);
    expect(regionsOf(nested).has("1")).toBe(false);
  });

  it("of the same circle twice are one", () => {
    const same = [circle(1, 1, 2), circle(1, 1, 2)];
    expect([...regionsOf(same).keys()]).toEqual(["0.1"]);
    expect(area(same, "0.1")).toBeCloseTo(4 * Math.PI);
  });

  it("of circles apart do not meet", () => {
    expect([...regionsOf([circle(0, 0, 1), circle(5, 0, 1)]).keys()].sort()).toEqual(["0", "1"]);
  });

  it("together cover three circles once", () => {
    const three = [circle(0, 0, 1), circle(1, 0, 1.2), circle(0.4, 0.9, 0.8)];
    const regions = regionsOf(three);
    for (const i of [0, 1, 2]) {
      const own = [...regions.values()].filter((one) => one.members.includes(i));
      const sum = own.reduce((total, one) => total + one.area, 0);
      expect(sum).toBeCloseTo(Math.PI * (three[i] as Circle).r ** 2);
    }
  });

  it("are written in where they are", () => {
    const three = [circle(0, 0, 1), circle(1, 0, 1.2), circle(0.4, 0.9, 0.8)];
    for (const one of regionsOf(three).values()) {
      expect(membersAt(three, one.at[0], one.at[1])).toEqual([...one.members]);
      expect(one.room).toBeGreaterThan(0);
    }
  });

  it("have closed outlines made of arcs", () => {
    for (const { path } of regionsOf([circle(0, 0, 1), circle(1, 0, 1)]).values())
      expect(path).toMatch(/^M[-\d. ]+(A[-\d. ]+)+Z$/);
  });
});

const group = (classes: number[], size: number) => ({ classes, size });

describe("a Venn diagram", () => {
  const pair = [group([0, 1], 5), group([0], 3), group([1], 4)];

  it("of two classes is exact", () => {
    expect(diagram(pair, 2, 400, 400).misfit.total).toBeLessThan(0.005);
  });

  it("fits its width and height", () => {
    const { circles, width, height } = diagram(pair, 2, 400, 300);
    expect(height).toBeLessThanOrEqual(300.001);
    for (const { x, y, r } of circles) {
      expect(x - r).toBeGreaterThanOrEqual(0);
      expect(x + r).toBeLessThanOrEqual(width);
      expect(y + r).toBeLessThanOrEqual(height);
    }
  });

  it("has the first class on the left", () => {
    const [first, second] = diagram(pair, 2, 400, 400).circles as [Circle, Circle];
    expect(first.x).toBeLessThan(second.x);
  });

  it("is the same every time", () => {
    const three = [group([0, 1, 2], 1), group([0, 1], 4), group([2], 8), group([0], 3)];
    expect(diagram(three, 3, 400, 400).circles).toEqual(diagram(three, 3, 400, 400).circles);
  });

  it("of three classes tells how far it is off", () => {
    // what only pairs share cannot be drawn without a middle
    const three = [group([0, 1], 4), group([1, 2], 4), group([0, 2], 4)];
    const { misfit: found } = diagram(three, 3, 400, 400);
    expect(found.total).toBeGreaterThan(0.1);
    expect(found.worst?.key).toBeTruthy();
  });

  it("counts a region that has no area as wholly off", () => {
    const drawn = regionsOf([circle(0, 0, Math.sqrt(2 / Math.PI))]);
    const found = misfit([group([0], 2), group([0, 1], 2)], drawn);
    expect(found.total).toBeCloseTo(0.5);
    expect(found.worst).toEqual({ key: "0.1", size: 2, drawn: 0 });
  });
});

describe("an UpSet plot", () => {
  const groups = [group([0, 1], 2), group([2], 5), group([0], 2)];

  it("has its largest region first, or the one that most classes share", () => {
    expect(ordered(groups, "size").map((one) => one.size)).toEqual([5, 2, 2]);
    expect(ordered(groups, "size")[1]?.classes).toEqual([0, 1]);
    expect(ordered(groups, "classes")[0]?.classes).toEqual([0, 1]);
  });

  it("has bars as high as their parts of the largest, all on one foot", () => {
    const { columns, barFoot } = upset(groups, [4, 2, 5], 600);
    expect((columns[0]?.barHeight ?? 0) / (columns[1]?.barHeight ?? 1)).toBeCloseTo(2 / 5);
    for (const one of columns) expect(one.barTop + one.barHeight).toBeCloseTo(barFoot);
  });

  it("has a dot per class, dark where it shares, and a line between them", () => {
    const [first] = upset(groups, [4, 2, 5], 600).columns;
    expect(first?.dots.map((dot) => dot.inside)).toEqual([true, true, false]);
    expect(first?.line).toEqual([first?.dots[0]?.y, first?.dots[1]?.y]);
  });

  it("has columns that do not meet, and grows wider than its room where it must", () => {
    const many = Array.from({ length: 40 }, (_, i) => group([i % 3], 1));
    const { columns, width } = upset(many, [1, 1, 1], 500);
    for (const [i, one] of columns.entries())
      if (i > 0) expect(one.x).toBeGreaterThanOrEqual((columns[i - 1]?.x ?? 0) + one.width - 1e-9);
    expect(width).toBeGreaterThan(500);
  });
});

describe("a region's name", () => {
  const names = ["frog", "toad", "<b>zebra</b>"];
  it("says which classes share it", () => {
    expect(regionName([0, 2], names)).toBe("frog and <b>zebra</b>");
    expect(regionName([1], names)).toBe("Only toad");
    expect(regionName([0, 1, 2], names)).toBe("All 3");
    expect(regionName([0, 1], names.slice(0, 2))).toBe("Both");
    expect(regionName([0], ["frog"])).toBe("frog");
  });
});

describe("the threshold's slider", () => {
  it("comes back to the same threshold", () => {
    for (const step of [0, 7, 20, 33, 40]) expect(stepAt(thresholdAt(step))).toBe(step);
  });

  it("runs from a ten-thousandth to one", () => {
    expect([thresholdAt(0), thresholdAt(20), thresholdAt(40)]).toEqual([0.0001, 0.01, 1]);
  });
});

const EXTENT: Extent = { columns: 2048, rows: 1000, width: 800, height: 400 };

describe("the window on the matrix", () => {
  it("shows everything at first", () => {
    expect(whole(EXTENT)).toEqual({ x: 0, y: 0, k: 800 / 2048, l: 0.4 });
  });

  it("keeps the point under the pointer when it is zoomed", () => {
    const now = zoomed(whole(EXTENT), 200, 100, 8, EXTENT);
    const later = zoomed(now, 350, 120, 1.5, EXTENT);
    expect(later.x + 350 / later.k).toBeCloseTo(now.x + 350 / now.k);
    expect(later.y + 120 / later.l).toBeCloseTo(now.y + 120 / now.l);
  });

  it("never leaves the cells, is never smaller than all and never larger than a few", () => {
    const far = panned(zoomed(whole(EXTENT), 0, 0, 4, EXTENT), -1e6, -1e6, EXTENT);
    expect(far.x + EXTENT.width / far.k).toBeCloseTo(2048);
    expect(clamped({ x: -5, y: -5, k: 0, l: 0 }, EXTENT)).toEqual(whole(EXTENT));
    expect(zoomed(whole(EXTENT), 0, 0, 1e9, EXTENT).k).toBe(LARGEST.column);
  });

  it("moves just so far that a cell is seen", () => {
    const now = zoomed(whole(EXTENT), 0, 0, 20, EXTENT);
    const seen = revealing(now, 900, 700, EXTENT);
    expect(900).toBeGreaterThanOrEqual(seen.x);
    expect(901).toBeLessThanOrEqual(seen.x + EXTENT.width / seen.k);
    expect(revealing(seen, 900, 700, EXTENT)).toEqual(seen);
  });

  it("finds the cell at a point, and none beside", () => {
    const now = { x: 10, y: 5, k: 20, l: 10 };
    expect(cellAt(now, 45, 31, EXTENT)).toEqual({ column: 12, row: 8 });
    expect(cellAt(now, -1, 3, EXTENT)).toBeNull();
    expect(cellAt({ ...now, x: 2047 }, 25, 0, EXTENT)).toBeNull();
  });
});

describe("bins", () => {
  it("hold one cell each where there is room", () => {
    const { edges, start, size } = binsOf(2.5, 10, 100, 40);
    expect([...edges]).toEqual([2, 3, 4, 5, 6, 7]);
    expect([start, size]).toEqual([-5, 10]);
  });

  it("hold every cell once where there is none", () => {
    const { edges } = binsOf(0, 800 / 2048, 2048, 800);
    expect([edges[0], edges.at(-1)]).toEqual([0, 2048]);
    for (let i = 1; i < edges.length; i++) expect(edges[i]).toBeGreaterThan(edges[i - 1] as number);
  });

  it("hold the same cells while the matrix is moved", () => {
    const edges = (from: number) => new Set(binsOf(from, 0.5, 2048, 300).edges);
    const shared = [...edges(100)].filter((edge) => edges(101.3).has(edge));
    expect(shared.length).toBeGreaterThan(290);
  });
});

it("ticks are 1, 2 or 5 times a power of ten apart", () => {
  expect([tickStep(50, 40), tickStep(12, 40), tickStep(4, 40), tickStep(0.4, 40)]).toEqual([
    1, 5, 10, 100,
  ]);
});

function weights(rows: number[][], means?: number[], peaks?: number[]): Weights {
  const payload = {
    classes: rows.map((_, i) => `class ${String.fromCharCode(99 - i)}`),
    channels: rows[0]?.length ?? 0,
    means: new Uint8Array(Float32Array.from(means ?? rows[0]?.map(() => 1) ?? []).buffer),
    peaks: peaks ?? rows.map(() => 1),
    shared: (rows[0] ?? []).map((_, k) => rows.filter((row) => (row[k] as number) > 128).length),
    alike: [2, 0, 1],
    blocks: (rows[0] ?? []).map((_, k) => k).reverse(),
  } as unknown as MatrixPayload;
  return new Weights(payload, Uint8Array.from(rows.flat()));
}

describe("weights", () => {
  const three = weights(
    [
      [255, 128, 1],
      [128, 192, 128],
      [129, 255, 128],
    ],
    [1, 0.25, 4],
    [2, 1, 1],
  );

  it("are the signed square of their byte, in parts of the row's largest", () => {
    expect(three.value(0, 0, false)).toBe(2);
    expect(three.value(0, 2, false)).toBe(-2);
    expect(three.value(0, 1, false)).toBeCloseTo(0);
    expect(three.value(1, 1, false)).toBeCloseTo((64 / 127) ** 2);
  });

  it("can be scaled by the mean activation", () => {
    expect(three.value(0, 2, true)).toBe(-8);
    expect([...three.largest(true)].map((x) => Number(x.toFixed(3)))).toEqual([8, 0.063, 0.25]);
  });

  it("come packed", async () => {
    expect([...(await inflated(new Uint8Array(deflateSync(Buffer.from([1, 2, 3])))))]).toEqual([
      1, 2, 3,
    ]);
  });

  it("that do not fill their cells are refused", () => {
    expect(() => new Weights(three.payload, new Uint8Array(5))).toThrow("5 weights came for 3 × 3");
  });

  it("are sorted by name, by similarity, by a class, and by how many share", () => {
    expect([...three.rowOrder("name")]).toEqual([2, 1, 0]);
    expect([...three.rowOrder("alike")]).toEqual([2, 0, 1]);
    expect([...three.columnOrder("number", 0, true)]).toEqual([0, 1, 2]);
    expect([...three.columnOrder("class", 0, true)]).toEqual([0, 1, 2]);
    expect([...three.columnOrder("class", 1, true)]).toEqual([1, 0, 2]);
    expect([...three.columnOrder("shared", 0, true)]).toEqual([0, 1, 2]);
    expect([...three.columnOrder("blocks", 0, true)]).toEqual([2, 1, 0]);
  });
});

describe("painted cells", () => {
  const cells = weights([
    [255, 128, 129],
    [128, 1, 128],
  ]);
  const colours = signedColours(false);
  const picture = (each = false) => ({
    weights: cells,
    shades: shadesOf(cells, false, each),
    rows: cells.rowOrder("given"),
    columns: cells.columnOrder("number", 0, false),
    colours,
  });
  const bins = (edges: number[]) => ({ edges: Int32Array.from(edges), start: 0, size: 1 });

  it("are orange for, blue against, and nothing at zero", () => {
    const pixels = gathered(picture(), bins([0, 1, 2, 3]), bins([0, 1, 2]));
    expect(pixels[0]).toBe(colours[2 * STEPS]);
    expect(pixels[4]).toBe(colours[0]);
    expect([pixels[1], pixels[3], pixels[5]]).toEqual([0, 0, 0]);
  });

  it("are never nothing where there is a weight", () => {
    const pixels = gathered(picture(), bins([0, 1, 2, 3]), bins([0, 1, 2]));
    expect(pixels[2]).not.toBe(0);
  });

  it("that share a pixel show the strongest of them", () => {
    expect([...gathered(picture(), bins([0, 3]), bins([0, 1, 2]))]).toEqual([
      colours[2 * STEPS],
      colours[0],
    ]);
    expect(gathered(picture(), bins([1, 3]), bins([0, 2]))[0]).toBe(colours[0]);
  });

  it("follow the order of rows and columns", () => {
    const turned = { ...picture(), columns: Int32Array.from([2, 1, 0]) };
    expect(gathered(turned, bins([2, 3]), bins([0, 1]))[0]).toBe(colours[2 * STEPS]);
  });

  it("can have each class on its own scale", () => {
    const uneven = weights([[255], [255]], [1], [4, 1]);
    const [one, each] = [false, true].map((own) => shadesOf(uneven, false, own));
    expect((one?.row[1] ?? 0) / (one?.row[0] ?? 1)).toBeCloseTo(0.5);
    expect(each?.row[1]).toBeCloseTo(each?.row[0] ?? 0);
    expect([one?.end, each?.end]).toEqual([4, null]);
  });
});

describe("signed colours", () => {
  it("differ for light and dark grounds", () => {
    expect(signedColours(true)[2 * STEPS]).not.toBe(signedColours(false)[2 * STEPS]);
    expect(signedGradient(true)).not.toBe(signedGradient(false));
  });

  it("change all the way from zero to the end", () => {
    const colours = signedColours(false);
    expect(new Set(colours.slice(STEPS)).size).toBeGreaterThan(200);
  });
});

it("a thousand classes of 2048 channels are gathered well within a frame of 30 a second", () => {
  const rows = 1000;
  const columns = 2048;
  const bytes = new Uint8Array(rows * columns).fill(128);
  for (let i = 0; i < bytes.length; i += 20) bytes[i] = 128 + ((i * 7) % 127);
  const payload = {
    classes: Array.from({ length: rows }, (_, i) => `${i}`),
    channels: columns,
    means: new Uint8Array(new Float32Array(columns).fill(1).buffer),
    peaks: Array.from({ length: rows }, () => 1),
  } as unknown as MatrixPayload;
  const all = new Weights(payload, bytes);
  const picture = {
    weights: all,
    shades: shadesOf(all, true, false),
    rows: all.rowOrder("given"),
    columns: Int32Array.from({ length: columns }, (_, k) => k),
    colours: signedColours(false),
  };
  const [across, down] = [binsOf(0, 900 / columns, columns, 900), binsOf(0, 0.48, rows, 480)];
  const times = Array.from({ length: 9 }, () => {
    const start = process.cpuUsage();
    gathered(picture, across, down);
    return process.cpuUsage(start).user / 1000;
  }).sort((a, b) => a - b);
  expect(times[0]).toBeLessThan(33);
});

const check = (r: number | null): Check => ({ r, count: 8, parts: "channels", seconds: 0.1 });

/** Three classes at one layer, checked in turn; the kernel refuses class 7. */
function made(checkable: boolean) {
  const known: Record<string, Check> = {};
  const asked: unknown[] = [];
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
    words: WORDS,
  };
  const listeners: ((change: string) => void)[] = [];
  const checks = new ClassChecks(session as never, () => [0, 1, 2, 3]);
  return { checks, asked };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("checks of classes", () => {
  it("ask for each class by its index among all, and go on where one cannot be checked", async () => {
    const { checks, asked } = made(true);
    checks.start();
    await settled();
    const at = (target: number) => ({ target, layer: "conv5" });
    expect(asked).toEqual([at(4), at(7), at(2)]);
    expect(checks.needs(0, 1)).toBe("no image of it");
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
