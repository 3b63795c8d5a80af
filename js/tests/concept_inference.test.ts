import { describe, expect, it } from "vitest";
import { nearest, readInference } from "../src/concept_inference/payload.ts";
import {
  arcOf,
  arcPath,
  between,
  gaugeOf,
  labelIn,
  nameIn,
  type Rings,
  radii,
  type Slice,
  slicesOf,
} from "../src/concept_inference/rings.ts";
import {
  frameOf,
  fullWidth,
  links,
  type Spot,
  spots,
  tall,
} from "../src/concept_inference/spots.ts";
import { explained, ownership, sentences, spoken } from "../src/concept_inference/words.ts";
import type { Branch } from "../src/lib/slots.ts";

const rings = (key: string, share: number, more: Partial<Rings> = {}): Rings => ({
  key,
  share,
  against: false,
  unexplained: null,
  children: [],
  ...more,
});
const slice = (slices: Slice[], key: string) => slices.find((one) => one.key === key) as Slice;
const wide = (one: Slice) => one.x1 - one.x0;

describe("rings", () => {
  const whole = slicesOf(
    rings("", 1, {
      unexplained: 0.2,
      children: [
        rings("0", 0.75, { unexplained: 0.5, children: [rings("0.0", 1)] }),
        rings("1", 0.25),
        rings("2", 1, { against: true }),
      ],
    }),
  );

  it("give a concept its share of what speaks for its parent", () => {
    expect(wide(slice(whole, "0"))).toBeCloseTo(0.75);
    expect(wide(slice(whole, "1"))).toBeCloseTo(0.25);
  });

  it("are filled by a single child, however little it explains", () => {
    expect(slice(whole, "0.0")).toMatchObject({ x0: 0, x1: 0.75 });
  });

  it("are filled by shares that are not a whole", () => {
    const some = slicesOf(rings("", 1, { children: [rings("0", 0.2), rings("1", 0.6)] }));
    expect(wide(slice(some, "0"))).toBeCloseTo(0.25);
    expect(slice(some, "1").x1).toBe(1);
  });

  it("keep what is unexplained for the gauges", () => {
    expect(slice(whole, "").unexplained).toBe(0.2);
    expect(slice(whole, "1").unexplained).toBeNull();
  });

  it("have no slice for what speaks against", () => {
    expect(whole.some((one) => one.key === "2")).toBe(false);
  });

  it("end where all that was found speaks against", () => {
    const children = [rings("0", 1, { against: true })];
    expect(slicesOf(rings("", 1, { children }))).toHaveLength(1);
  });

  it("fill the circle with the concept in the middle", () => {
    const edges = radii(100, 2);
    expect(arcOf(slice(whole, "0.0"), slice(whole, "0"), edges)).toEqual({
      x0: 0,
      x1: 1,
      r0: edges[0],
      r1: edges[1],
    });
  });

  it("have no width outside of the concept in the middle", () => {
    const arc = arcOf(slice(whole, "1"), slice(whole, "0"), radii(100, 2));
    expect(arc.x1 - arc.x0).toBe(0);
  });

  it("reach the edge with the last ring", () => {
    expect(radii(100, 4).at(-1)).toBeCloseTo(100);
    expect(radii(100, 0)).toEqual([30]);
  });

  it("turn from one place to another evenly", () => {
    const [a, b] = [
      { x0: 0, x1: 1, r0: 0, r1: 10 },
      { x0: 0.5, x1: 1, r0: 10, r1: 30 },
    ];
    expect(between(a, b, 0.5)).toEqual({ x0: 0.25, x1: 1, r0: 5, r1: 20 });
  });
});

describe("a gauge", () => {
  const arc = { x0: 0, x1: 0.5, r0: 40, r1: 80 };

  it("is gray as far as its concept is unexplained", () => {
    const { explained, rest } = gaugeOf(arc, 0.75, 4);
    const whole = rest.x1 - explained.x0;
    expect((rest.x1 - rest.x0) / whole).toBeCloseTo(0.75);
    expect(rest.x0).toBe(explained.x1);
  });

  it("lies at the outer edge, apart from what is left to the concept", () => {
    const { body, explained } = gaugeOf(arc, 0.75, 4);
    expect(explained.r1 - explained.r0).toBe(4);
    expect(explained.r1).toBeLessThan(arc.r1);
    expect(body.r1).toBeLessThan(explained.r0);
    expect([body.x0, body.x1]).toEqual([arc.x0, arc.x1]);
  });

  it("ends a little before its neighbour begins", () => {
    const { explained, rest } = gaugeOf(arc, 0.5, 4);
    expect(explained.x0).toBeGreaterThan(arc.x0);
    expect(rest.x1).toBeLessThan(arc.x1);
  });

  it("goes all around the concept in the middle", () => {
    const { explained, rest } = gaugeOf({ x0: 0, x1: 1, r0: 0, r1: 30 }, 0.96, 3);
    expect([explained.x0, rest.x1]).toEqual([0, 1]);
  });

  it("of a narrow slice keeps most of its width", () => {
    const { explained, rest } = gaugeOf({ x0: 0.5, x1: 0.501, r0: 40, r1: 80 }, 0.5, 3);
    expect(rest.x1 - explained.x0).toBeGreaterThan(0.0005);
  });

  it("takes no more than there is", () => {
    const { body, explained } = gaugeOf({ x0: 0, x1: 0.5, r0: 40, r1: 42 }, 0.5, 4);
    expect([body.r1, explained.r0]).toEqual([40, 40]);
  });

  it("is gray or not at all where the figure is out of range", () => {
    expect(gaugeOf(arc, 1.2, 4).explained.x1).toBe(gaugeOf(arc, 1, 4).explained.x1);
    expect(gaugeOf(arc, -0.1, 4).rest.x0).toBe(gaugeOf(arc, 0, 4).rest.x0);
  });
});

describe("an arc", () => {
  it("begins at the top and goes clockwise", () => {
    expect(arcPath({ x0: 0, x1: 0.25, r0: 0, r1: 10 })).toBe("M0,-10A10,10 0 0 1 10,0L0,0Z");
  });

  it("of a whole turn is a ring of two circles", () => {
    expect(arcPath({ x0: 0, x1: 1, r0: 5, r1: 10 }).match(/M/g)).toHaveLength(2);
  });

  it("of a whole turn has a hole, which goes the other way round", () => {
    const [outer, inner] = arcPath({ x0: 0, x1: 1, r0: 5, r1: 10 }).split("Z");
    expect(outer).toMatch(/0 1 1/);
    expect(inner).not.toMatch(/0 1 1/);
  });

  it("without width is nothing", () => {
    expect(arcPath({ x0: 0.3, x1: 0.3, r0: 5, r1: 10 })).toBe("");
  });

  it("has a label across it where it is long, along its radius where it is thick", () => {
    expect(labelIn({ x0: 0, x1: 0.5, r0: 80, r1: 120 }, 60, 14)).toMatchObject({ turn: 90 });
    expect(labelIn({ x0: 0.23, x1: 0.27, r0: 80, r1: 160 }, 60, 14)?.turn).toBe(0);
  });

  it("has no label that does not fit", () => {
    expect(labelIn({ x0: 0, x1: 0.02, r0: 80, r1: 120 }, 60, 14)).toBeNull();
    expect(labelIn({ x0: 0, x1: 0.5, r0: 80, r1: 120 }, 400, 14)).toBeNull();
  });

  it("has a name shortened in its middle where the whole does not fit", () => {
    const name = "house of the far northern hills";
    const arc = { x0: 0, x1: 0.25, r0: 80, r1: 120 };
    expect(nameIn(arc, name, 60, 14)?.text).toBe(name);
    expect(nameIn(arc, name, 250, 14)?.text).toBe("house o… hills");
    expect(nameIn(arc, name, 2000, 14)).toBeNull();
  });

  it("has no label on its head", () => {
    for (const middle of [0.1, 0.3, 0.4, 0.6, 0.7, 0.9]) {
      const found = labelIn({ x0: middle - 0.1, x1: middle + 0.1, r0: 80, r1: 120 }, 50, 14);
      expect(Math.abs(found?.turn ?? 180)).toBeLessThanOrEqual(90);
    }
  });
});

const branch = (key: string, ...children: Branch[]): Branch => ({ key, size: 1, children });
const TREE = branch("", branch("0", branch("0.0"), branch("0.1")), branch("1", branch("1.0")));

describe("cards of concepts", () => {
  it("stand in columns where there is room, in an outline where there is little", () => {
    expect(frameOf(1400, 5, 1).shape).toBe("beside");
    expect(frameOf(870, 5, 1).shape).toBe("stacked");
    expect(frameOf(390, 5, 1).shape).toBe("outline");
  });

  it("fill the width with five levels", () => {
    const frame = frameOf(900, 5, 1);
    expect(5 * frame.width + 4 * frame.gutter).toBeCloseTo(900);
  });

  it("have room for the maps of three sets side by side", () => {
    const frame = frameOf(1400, 5, 3);
    expect(3 * frame.map + 12).toBeLessThanOrEqual(frame.width);
  });

  it("stand in line with the first of what they rest on", () => {
    const places = spots(TREE, frameOf(900, 3, 1), 100);
    expect(places.get("0.0")?.y).toBe(places.get("")?.y);
    expect(places.get("1")?.y).toBe(228);
    expect(places.get("1.0")?.y).toBe(228);
  });

  it("follow each other in an outline, further in at each level", () => {
    const places = spots(TREE, frameOf(400, 3, 1), 50);
    expect([...places.keys()]).toEqual(["", "0", "0.0", "0.1", "1", "1.0"]);
    expect(places.get("0.1")).toMatchObject({ x: 40, y: 168, width: 360 });
    expect(tall(places, 50)).toBe(5 * 56 + 50);
  });
});

describe("links between concepts", () => {
  const frame = frameOf(900, 3, 1);
  const places: Map<string, Spot> = spots(TREE, frame, 100);
  const strands = [
    { from: "", to: "0", set: 0, part: 0.75, explained: 1, against: false },
    { from: "", to: "1", set: 0, part: 0.25, explained: 1, against: true },
  ];

  it("are as wide as parts of the weights", () => {
    const drawn = links(strands, places, frame, 100, 1);
    const full = fullWidth(1, frame);
    expect(drawn.map((one) => one.width)).toEqual([0.75 * full, 0.25 * full]);
  });

  it("together are as wide as their concept is explained", () => {
    const half = strands.map((one) => ({ ...one, explained: 0.5 }));
    const full = fullWidth(1, frame);
    const widths = links(half, places, frame, 100, 1).map((one) => one.width);
    expect(widths).toEqual([0.375 * full, 0.125 * full]);
  });

  it("are a hair where all of the weight explains nothing", () => {
    const alone = [{ ...strands[0], part: 1, explained: 0 } as never];
    const [hair] = links(alone, places, frame, 100, 1);
    expect(hair?.width).toBeLessThan(2);
  });

  it("leave side by side without a gap", () => {
    const [first, second] = links(strands, places, frame, 100, 1);
    const start = (path = "") => Number(path.match(/^M[\d.]+,([\d.]+)/)?.[1]);
    const full = fullWidth(1, frame);
    expect(start(second?.path) - start(first?.path)).toBeCloseTo(full / 2, 0);
  });

  it("are seen however small the weight", () => {
    const [thin] = links([{ ...strands[0], part: 0 } as never], places, frame, 100, 1);
    expect(thin?.width).toBeGreaterThan(1);
  });

  it("to a folded concept are not drawn", () => {
    const gone = [{ ...strands[0], to: "7" } as never];
    expect(links(gone, places, frame, 100, 1)).toEqual([]);
  });
});

const PAYLOAD = {
  levels: ["scene", "object"],
  layers: [null, { name: "conv", type: "ReLU", shape: [8, 1, 2], stage: 5, field: null }],
  sets: ["pool", "hedge"].map((name) => ({
    name,
    target: { index: 0, name: "house", probability: 0.8, logit: 9 },
    size: [10, 10],
    images: 0,
    notes: [],
    model: "",
  })),
  open: [""],
  nodes: { parent: [-1, 0, 0], concept: ["house", "roof", "car"], colour: ["#111111", "", ""] },
  parts: {
    node: [0, 0, 1, 1, 2],
    set: [0, 1, 0, 1, 0],
    part: [1, 1, 0.8, 1, 0.2],
    map: [null, null, { start: 0, extent: [1, 2], zero: 1, step: 0.5 }, null, null],
    weight: [1, 1, 0.4, 0.5, -0.1],
    share: [1, 1, 1, 1, 1],
    unexplained: [0.3, 0.2, null, null, null],
    precision: [null, null, 0.7, 0.7, 0.03],
    hardly: [null, null, null, null, "hardly recognised"],
    chance: [null, null, 0.1, 0.1, 0.02],
    count: [1, 1, 1, 1, 1],
    flag: [null, null, null, null, "few cells"],
    inferred: [true, true, false, false, false],
  },
  maps: Uint8Array.from([0, 3]),
} as never;

describe("inferences from the kernel", () => {
  const inference = readInference(PAYLOAD);
  const [roof, car] = inference.root.children;

  it("can be checked against ablation where it was inferred what they rest on", () => {
    expect([inference.root, car].map((one) => one?.parts[0]?.inferred)).toEqual([true, false]);
  });

  it("have the maps of the sets that have any", () => {
    expect([...(roof?.parts[0]?.map?.values ?? [])]).toEqual([-0.5, 1]);
    expect(roof?.parts[1]?.map).toBeNull();
  });

  it("know which sets have a concept", () => {
    expect(ownership(roof as never, inference)).toBe("shared by all 2");
    expect(ownership(car as never, inference)).toBe("only pool");
    expect(car?.parts[1]).toBeNull();
  });

  it("fall back to what is left of a path", () => {
    expect(nearest(inference, "1.4.2").name).toBe("car");
    expect(nearest(inference, "9").name).toBe("house");
  });

  it("say what speaks against, and what is doubtful", () => {
    const part = car?.parts[0] as never;
    expect(sentences(car as never, inference, part)).toEqual([
      "Speaks against house: weight −0.1, 100 % of all that does. All that was found explains 70 % of house.",
      "Held-out average precision 0.03; a guess would reach 0.02: hardly recognised.",
      "Doubtful: few cells.",
    ]);
  });

  it("say in short what is explained", () => {
    const part = inference.root.parts[0] as never;
    expect(explained(inference.root, inference, part)).toBe("70 % explained by 2 objects");
  });

  it("say what is unexplained", () => {
    expect(spoken(inference.root, inference, 0)).toContain(
      "Its 2 objects explain 70 % of it; 30 % is unexplained.",
    );
  });

  it("whose columns end too early are refused", () => {
    const broken = {
      ...(PAYLOAD as object),
      nodes: { parent: [-1, 0], concept: ["a"], colour: [] },
    };
    expect(() => readInference(broken as never)).toThrow(/columns end before/);
  });
});
