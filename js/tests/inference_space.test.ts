import { describe, expect, it } from "vitest";
import { type InferencePayload, readInference } from "../src/concept_inference/payload.ts";
import { marker, markerPath } from "../src/inference_space/markers.ts";
import {
  type ChartsPayload,
  known,
  readSpace,
  type SpacePayload,
  subset,
} from "../src/inference_space/payload.ts";
import {
  backToFront,
  basis,
  type Corners,
  depths,
  FIRST,
  fitted,
  hit,
  Sight,
  turned,
  type Vector,
  zoomed,
} from "../src/inference_space/projection.ts";
import {
  agreement,
  axisName,
  distance,
  pointName,
  spoken,
  told,
} from "../src/inference_space/words.ts";
import { WORDS } from "./lib/words_of_trust.ts";

const BOX: Corners = [
  [-1, -1, -1],
  [1, 1, 1],
];
const ROOM = { width: 800, height: 500, aside: 60, above: 40 };
const TURNS = [
  { yaw: 0, pitch: 0, zoom: 1 },
  FIRST,
  { yaw: -130, pitch: -50, zoom: 1 },
  { yaw: 170, pitch: 85, zoom: 2 },
];
const dot = (a: Vector, b: Vector) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

describe("space that is turned", () => {
  it("keeps lengths and right angles", () => {
    for (const turn of TURNS) {
      const { right, up, toward } = basis(turn);
      for (const one of [right, up, toward]) expect(dot(one, one)).toBeCloseTo(1);
      for (const [a, b] of [
        [right, up],
        [up, toward],
        [toward, right],
      ] as const)
        expect(dot(a, b)).toBeCloseTo(0);
    }
  });

  it("has the first axis to the right and the third up as long as it is not", () => {
    const sight = new Sight(BOX, { yaw: 0, pitch: 0, zoom: 1 }, ROOM);
    const [middle, right, up] = [sight.see([0, 0, 0]), sight.see([1, 0, 0]), sight.see([0, 0, 1])];
    expect([middle.x, middle.y]).toEqual([400, 250]);
    expect(right.x).toBeGreaterThan(middle.x);
    expect(right.y).toBeCloseTo(middle.y);
    expect(up.y).toBeLessThan(middle.y);
  });

  it("follows the hand with what is in front", () => {
    const front: Vector = [0, -1, 0];
    const still = new Sight(BOX, { yaw: 0, pitch: 10, zoom: 1 }, ROOM).see(front);
    const aside = new Sight(BOX, turned({ yaw: 0, pitch: 10, zoom: 1 }, 10, 0), ROOM).see(front);
    const down = new Sight(BOX, turned({ yaw: 0, pitch: 10, zoom: 1 }, 0, 10), ROOM).see(front);
    expect(aside.x).toBeGreaterThan(still.x);
    expect(down.y).toBeGreaterThan(still.y);
  });

  it("goes around from side to side and stops above and below", () => {
    expect(turned({ yaw: 170, pitch: 80, zoom: 1 }, 20, 20)).toEqual({
      yaw: -170,
      pitch: 90,
      zoom: 1,
    });
    expect(turned({ yaw: -170, pitch: -80, zoom: 1 }, -20, -20).yaw).toBe(170);
  });

  it("is zoomed within limits", () => {
    expect(zoomed(FIRST, 2).zoom).toBe(2);
    expect(zoomed(FIRST, 1000).zoom).toBe(8);
    expect(zoomed(FIRST, 0.001).zoom).toBe(0.4);
  });

  it("stays in its window while it is turned around", () => {
    for (let yaw = -180; yaw < 180; yaw += 15) {
      const sight = new Sight(BOX, { yaw, pitch: 20, zoom: 1 }, ROOM);
      for (const { x, y } of sight.walls().flat()) {
        expect(Math.abs(x - 400)).toBeLessThanOrEqual(340 + 1e-6);
        expect(Math.abs(y - 250)).toBeLessThanOrEqual(210 + 1e-6);
      }
    }
  });

  it("has a scale in a window that is too small for it", () => {
    expect(fitted(BOX, { width: 10, height: 10, aside: 60, above: 40 })).toBeGreaterThan(0);
  });
});

describe("the box", () => {
  it("shows its three sides that lie behind", () => {
    for (const turn of TURNS) {
      const walls = new Sight(BOX, turn, ROOM).walls();
      expect(walls).toHaveLength(3);
      for (const wall of walls) {
        const near = wall.reduce((sum, corner) => sum + corner.near, 0);
        expect(near).toBeLessThanOrEqual(1e-9);
      }
    }
  });

  it("has its axes at edges that nothing lies under", () => {
    for (const turn of TURNS.slice(1, 3)) {
      const sight = new Sight(BOX, turn, ROOM);
      const corners = [-1, 1].flatMap((x) =>
        [-1, 1].flatMap((y) => [-1, 1].map((z) => sight.see([x, y, z]))),
      );
      for (const axis of [0, 1, 2]) {
        const [a, b] = sight.edge(axis);
        const sides = corners.map(({ x, y }) => (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x));
        const inside = sides.every((side) => side < 1e-6) || sides.every((side) => side > -1e-6);
        expect(inside).toBe(true);
      }
    }
  });

  it("has the upright axis at its left and the others below", () => {
    const sight = new Sight(BOX, FIRST, ROOM);
    const middle = (axis: number) => {
      const [a, b] = sight.edge(axis);
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    };
    expect(middle(2).x).toBeLessThan(400);
    expect(middle(0).y).toBeGreaterThan(250);
    expect(middle(1).y).toBeGreaterThan(250);
  });
});

describe("an ellipsoid", () => {
  const axes: Vector[] = [
    [0.5, 0.2, 0],
    [-0.1, 0.25, 0.1],
    [0.05, -0.1, 0.3],
  ];

  it("is outlined by an ellipse that its points touch and never leave", () => {
    for (const turn of TURNS) {
      const sight = new Sight(BOX, turn, ROOM);
      const { rx, ry, angle } = sight.ellipse(axes);
      let most = 0;
      for (let i = 0; i < 4000; i++) {
        // points all over a sphere
        const z = 1 - (2 * (i + 0.5)) / 4000;
        const [r, a] = [Math.sqrt(1 - z * z), i * 2.399963];
        const unit = [r * Math.cos(a), r * Math.sin(a), z];
        const at = [0, 1, 2].map((k) =>
          axes.reduce((sum, axis, j) => sum + (unit[j] ?? 0) * (axis[k] ?? 0), 0),
        );
        const { x, y } = sight.see(at as never);
        const [dx, dy] = [x - 400, y - 250];
        const [u, v] = [
          dx * Math.cos(angle) + dy * Math.sin(angle),
          dy * Math.cos(angle) - dx * Math.sin(angle),
        ];
        most = Math.max(most, Math.hypot(u / rx, v / ry));
      }
      expect(most).toBeLessThanOrEqual(1 + 1e-9);
      expect(most).toBeGreaterThan(0.995);
    }
  });

  it("that is flat is seen as a line from its side", () => {
    const sight = new Sight(BOX, { yaw: 0, pitch: 0, zoom: 1 }, ROOM);
    expect(
      sight.ellipse([
        [0.5, 0, 0],
        [0, 0.5, 0],
        [0, 0, 0],
      ]).ry,
    ).toBeCloseTo(0);
  });
});

describe("points", () => {
  const seen = [
    { x: 10, y: 10, near: 2 },
    { x: 14, y: 10, near: 5 },
    { x: 90, y: 10, near: -1 },
  ];

  it("are drawn from back to front", () => {
    expect(backToFront(seen)).toEqual([2, 0, 1]);
    expect(depths(seen)).toEqual([0.5, 1, 0]);
  });

  it("are all in front where none is behind another", () => {
    expect(depths([{ x: 0, y: 0, near: 3 }])).toEqual([1]);
  });

  it("are found where they are seen, the nearer of two in one place", () => {
    expect(hit(seen, 11, 10, 8)).toBe(0);
    expect(hit(seen, 12, 10, 8)).toBe(1);
    expect(hit([...seen].reverse(), 12, 10, 8)).toBe(1);
    expect(hit(seen, 50, 50, 8)).toBeNull();
  });
});

describe("marks of sets", () => {
  it("differ in shape, seven of them", () => {
    const shapes = Array.from({ length: 7 }, (_, i) => markerPath(i, 1));
    expect(new Set(shapes).size).toBe(7);
    expect(markerPath(7, 1)).toBe(markerPath(0, 1));
  });

  it("lie around their point", () => {
    for (let i = 0; i < 7; i++) {
      const x = marker(i).reduce((sum, [x]) => sum + x, 0);
      expect(x).toBeCloseTo(0);
    }
  });
});

const payload: SpacePayload = {
  points: new Float32Array([0.5, 0, 0, 0.25, 0, 0, -1, 0, 0.5]).buffer,
  sets: [0, 0, 1],
  groups: [
    { name: "pool", concept: "house", images: 2, centre: [0.375, 0, 0], axes: null, flag: null },
    { name: "hedge", concept: "house", images: 1, centre: [-1, 0, 0.5], axes: null, flag: "one" },
  ],
  level: "scene",
  variance: [0.41, 0.181, 0],
  box: [
    [-1, -1, -1],
    [1, 1, 1],
  ],
  table: [
    [
      { distance: 0.1344, apart: null, p: null },
      { distance: 0.7, apart: true, p: "p < 0.001" },
    ],
    [
      { distance: 0.7, apart: true, p: "p < 0.001" },
      { distance: null, apart: null, p: null },
    ],
  ],
  tested: true,
  verdict: [],
  remarks: [],
  model: "VGG",
};

describe("a comparison", () => {
  const space = readSpace(payload);

  it("numbers the images of each set", () => {
    expect(space.points.map((point) => pointName(space, point))).toEqual([
      "pool 1",
      "pool 2",
      "hedge 1",
    ]);
    expect(space.points[2]?.at).toEqual([-1, 0, 0.5]);
  });

  it("whose points end too early is refused", () => {
    expect(() => readSpace({ ...payload, sets: [0, 0, 1, 1] })).toThrow(RangeError);
  });

  it("names its axes with what they explain", () => {
    expect([0, 1, 2].map((axis) => axisName(space, axis))).toEqual([
      "PC1  41 %",
      "PC2  18 %",
      "PC3  0 %",
    ]);
  });

  it("says each entry of the table", () => {
    expect(spoken(space, 0, 0)).toBe("Within pool: 0.134");
    expect(spoken(space, 0, 1)).toBe("Between pool and hedge: 0.700, apart, p < 0.001");
    expect(spoken(space, 1, 1)).toBe("hedge has one image: no distance within");
  });

  it("never writes a small distance as zero", () => {
    expect(distance({ distance: 0.0001, apart: false, p: null })).toBe("0.0001");
    expect(distance({ distance: 0, apart: false, p: null })).toBe("0.000");
  });

  it("says a point with its set and its place", () => {
    const [point] = space.points;
    expect(told(space, point as never, true, "")).toBe(
      "pool 1, 1 of 2 images; house inferred; PC1 0.5, PC2 0, PC3 0; chosen",
    );
    const said = agreement(WORDS, { r: -0.12, count: 24, parts: "channels" });
    expect(told(space, point as never, false, said)).toBe(
      "pool 1, 1 of 2 images; house inferred; PC1 0.5, PC2 0, PC3 0; not trusted",
    );
    expect(agreement(WORDS, null)).toBe("");
  });
});

describe("the inferences of chosen points", () => {
  const set = (name: string) => ({ name }) as InferencePayload["sets"][number];
  const charts: ChartsPayload = {
    of: [4, 9, 2],
    lack: "",
    inference: {
      levels: ["scene", "object"],
      layers: [null, null],
      sets: [set("a"), set("b"), set("c")],
      open: [],
      nodes: {
        parent: [-1, 0, 0],
        concept: ["house", "sky", "roof"],
        colour: ["#111111", "#222222", "#333333"],
      },
      parts: {
        node: [0, 0, 0, 1, 2],
        set: [0, 1, 2, 1, 2],
        part: [1, 1, 1, 1, 1],
        map: [null, null, null, null, null],
        weight: [1, 2, 3, 4, 5],
        share: [1, 1, 1, 1, 1],
        unexplained: [null, null, null, null, null],
        precision: [null, null, null, null, null],
        chance: [null, null, null, null, null],
        count: [1, 1, 1, 1, 1],
        inferred: [true, true, true, false, false],
        flag: [null, null, null, null, null],
      },
      maps: new ArrayBuffer(0),
    },
    pictures: { places: [[[0, 1]], [[1, 1]], [[2, 1]]], data: new ArrayBuffer(3) },
  };

  it("are those that there are, in the order of choosing", () => {
    expect(known(charts, [2, 7, 4])).toEqual([2, 4]);
  });

  it("stand alone, each with its own weights and pictures", () => {
    const shown = subset(charts, [2, 4]);
    expect(shown.inference.sets.map((one) => one.name)).toEqual(["c", "a"]);
    expect(shown.pictures.places).toEqual([[[2, 1]], [[0, 1]]]);
    const { root } = readInference(shown.inference);
    expect(root.parts.map((part) => part?.weight)).toEqual([3, 1]);
  });

  it("leave the keys of concepts as they are among all", () => {
    const { concepts } = readInference(subset(charts, [2]).inference);
    expect(concepts.get("1")?.name).toBe("roof");
    expect(concepts.get("0")?.parts).toEqual([null]);
  });
});
