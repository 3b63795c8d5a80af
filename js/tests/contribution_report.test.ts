import { describe, expect, it } from "vitest";
import { pressAnywhere } from "../src/contribution_report/keys.ts";
import { attentionOf, mapsOf, strongestOf } from "../src/contribution_report/payload.ts";
import { type Session, spotOf } from "../src/contribution_report/session.ts";
import {
  domainOf,
  placeOf,
  type Sum,
  spanOf,
  steps,
  ticksOf,
} from "../src/contribution_report/waterfall.ts";
import { exact, signed } from "../src/contribution_report/words.ts";

// −1 + 3 − 0.5 + (0.25 + 0.25) + 1 = 3
const SUM: Sum = {
  bias: -1,
  values: [3, -0.5, 0.25, 0.25],
  others: 0.5,
  unexplained: 1,
  score: 3,
};

describe("a waterfall", () => {
  it("goes from the bias through the concepts and the rest to the score", () => {
    expect(steps(SUM, 2).map(spotOf)).toEqual([
      "bias",
      "concept 0",
      "concept 1",
      "others",
      "unexplained",
      "score",
    ]);
  });

  it("has each step begin where the one before ends", () => {
    const found = steps(SUM, 4).slice(0, -1);
    expect(found.map(({ from }) => from)).toEqual([0, -1, 2, 1.5, 1.75, 2]);
    expect(found.slice(1).map(({ from }) => from)).toEqual(found.slice(0, -1).map(({ to }) => to));
  });

  it("ends at the score, whose own bar stands on zero", () => {
    const found = steps(SUM, 2);
    expect(found.at(-2)?.to).toBe(SUM.score);
    expect(found.at(-1)).toMatchObject({ kind: "score", from: 0, to: 3 });
  });

  it("has no step of others where all concepts stand alone", () => {
    expect(steps(SUM, 4).map(({ kind }) => kind)).not.toContain("others");
  });

  it("of no concept goes from the bias to the rest to the score", () => {
    const none: Sum = { bias: 1, values: [], others: 0, unexplained: 2, score: 3 };
    expect(steps(none, 0).map(({ to }) => to)).toEqual([1, 3, 3]);
  });
});

describe("the scale of a waterfall", () => {
  it("reaches as far as any step of any image, zero inside", () => {
    const other = steps({ ...SUM, bias: 2, score: 6 }, 2);
    expect(domainOf([steps(SUM, 2), other])).toEqual([-1, 6]);
    expect(domainOf([[]])).toEqual([0, 1]);
  });

  it("places steps as parts of the width, those to the left with a length, too", () => {
    const [bias] = steps(SUM, 2);
    expect(spanOf(bias as never, [-1, 3])).toEqual({ start: 0, length: 0.25 });
    expect(placeOf(0, [-1, 3])).toBe(0.25);
  });

  it("has round ticks inside of it, zero among them", () => {
    expect(ticksOf([-1, 3], 4)).toEqual([-1, 0, 1, 2, 3]);
    expect(ticksOf([-0.31, 0.12], 4)).toEqual([-0.2, 0]);
    expect(ticksOf([0, 0.3], 3)).toEqual([0, 0.1, 0.2, 0.3]);
  });
});

describe("what comes from the kernel", () => {
  const place = { extent: [1, 2], zero: 0, step: 0.5 };

  it("has the maps of each image, the folded ones last", () => {
    const found = mapsOf(
      {
        extent: Array(4).fill(place.extent),
        zero: [0, 1, 0, 0],
        step: Array(4).fill(0.5),
        data: Uint8Array.from([2, 4, 0, 3, 1, 1, 6, 6]),
      },
      1,
    );
    expect(found.map((maps) => maps.map(({ values }) => [...values]))).toEqual([
      [
        [1, 2],
        [-0.5, 1],
      ],
      [
        [0.5, 0.5],
        [3, 3],
      ],
    ]);
  });

  it("has Grad-CAM of each image, none where it has no extent", () => {
    const found = attentionOf({
      extent: [
        [0, 0],
        [1, 2],
      ],
      zero: [0, 0],
      step: [1, 0.5],
      data: Uint8Array.from([2, 4]),
    });
    expect(found.map((map) => map && [...map.values])).toEqual([null, [1, 2]]);
    expect(attentionOf({})).toEqual([]);
  });
});

describe("the scale of maps", () => {
  const map = (...values: number[]) => ({
    height: 1,
    width: values.length,
    values: Float32Array.from(values),
  });

  it("ends at the strongest value of all images, of either sign", () => {
    expect(strongestOf([map(1, 2), null, map(-4, 0.5)])).toBe(4);
  });

  it("has an end where there is no map, or nothing on it", () => {
    expect([strongestOf([]), strongestOf([null]), strongestOf([map(0, 0)])]).toEqual([1, 1, 1]);
  });
});

describe("the key g", () => {
  const turned = (key: string, more: object = {}, images = 1) => {
    let count = 0;
    const session = { cards: Array(images), turnAttention: () => count++ };
    const event = { key, preventDefault: () => {}, ...more };
    pressAnywhere(session as unknown as Session, event as KeyboardEvent);
    return count;
  };

  it("turns Grad-CAM on and off", () => {
    expect([turned("g"), turned("G"), turned("b")]).toEqual([1, 1, 0]);
  });

  it("is left to the browser with Ctrl, Meta or Alt, and where there is no image", () => {
    const held = ["ctrlKey", "metaKey", "altKey"].map((name) => turned("g", { [name]: true }));
    expect([...held, turned("g", {}, 0)]).toEqual([0, 0, 0, 0]);
  });
});

describe("numbers", () => {
  it("are written with their sign and two places, small ones with three", () => {
    expect([1.5, -0.796, 0.0177, 0, 1234.5].map(signed)).toEqual([
      "+1.50",
      "−0.80",
      "+0.018",
      "0",
      "+1234.50",
    ]);
  });

  it("are at hand with six places", () => {
    expect(exact(-1 / 3)).toBe("−0.333333");
  });
});
