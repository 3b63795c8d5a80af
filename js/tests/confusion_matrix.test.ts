import { describe, expect, it } from "vitest";
import {
  type ConfusionPayload,
  channelsOf,
  channelWords,
  countWords,
  facesOf,
  headWords,
  matrixClasses,
  noChannels,
  ordered,
  pairAt,
  question,
  sentence,
} from "../src/confusion_matrix/confusions.ts";

const payload: ConfusionPayload = {
  classes: ["ball", 'the "tree"', "sea", "lawn"],
  labelled: [40, 4, 10, 0],
  right: [20, 1, 9, 0],
  pairs: [
    [0, 1],
    [1, 3],
    [2, 0],
  ],
  counts: [20, 3, 1],
  all: [3, 24],
  images: 54,
  pictured: [0, 1],
  places: [7, 12],
  pictures: {},
  layer: "conv5",
  compared: 2,
  shared: [
    [0, 5, 2, 0.5],
    [0, 9, 1, 1],
  ],
  portraits: [
    [5, 2],
    [9, 3],
  ],
  faces: {},
  model: "Net",
  notes: [],
};

describe("pairs", () => {
  it("stand by their number, or by their share of the images that are labelled so", () => {
    expect(ordered(payload, "count")).toEqual([0, 1, 2]);
    expect(ordered(payload, "share")).toEqual([1, 0, 2]);
  });

  it("are said with the number that they are of", () => {
    expect(countWords(payload, 1)).toBe("3 of 4 (75 %)");
    expect(sentence(payload, 2)).toBe("Of 10 images labelled sea, 1 is named ball.");
    expect(headWords(payload)).toBe("24 of 54 images (44 %) named otherwise");
    expect(headWords({ ...payload, all: [0, 0] })).toContain("none of 54 images");
  });

  it("lead to the question why, with names as they are written in code", () => {
    expect(question(payload, 1, 12)).toBe(
      'hx.FailureAnalysis(clf, data[12][0], true="the \\"tree\\"")',
    );
  });
});

describe("the matrix", () => {
  it("has the classes of the first pairs, as many as have room", () => {
    expect(matrixClasses(payload)).toEqual([0, 1, 2, 3]);
    expect(matrixClasses(payload, 3)).toEqual([0, 1, 3]);
    expect(matrixClasses(payload, 2)).toEqual([0, 1]);
  });

  it("finds a pair by its row and column", () => {
    expect(pairAt(payload).get("1 3")).toBe(1);
    expect(pairAt(payload).get("3 1")).toBeUndefined();
  });
});

describe("channels of both classes", () => {
  it("are those of the pair, with what they are worth to each", () => {
    expect(channelsOf(payload, 0).map(([, channel]) => channel)).toEqual([5, 9]);
    expect(channelWords(payload, [0, 5, 2, 0.5])).toBe('Channel 5: 2 for ball, 0.5 for the "tree"');
  });

  it("have their pictures one after the other", () => {
    expect([...facesOf(payload)]).toEqual([
      [5, [0, 2]],
      [9, [2, 5]],
    ]);
  });

  it("are said to be missing for the reason that they are", () => {
    expect(noChannels(payload, 1)).toBe("No channel of conv5 speaks for both classes.");
    expect(noChannels(payload, 2)).toContain("the 2 most frequent pairs");
    expect(noChannels({ ...payload, layer: null }, 0)).toMatch(/^Give chip=/);
  });
});
