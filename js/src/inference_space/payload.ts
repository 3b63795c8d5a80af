// A comparison as it comes from the kernel: points, the sets they belong to, and their table; of the
// inferences that the page holds, those of the points that are chosen.

import type { Pictures } from "../concept_inference/painter.ts";
import type { InferencePayload } from "../concept_inference/payload.ts";
import { type Buffer, floatsOf } from "../lib/pixels.ts";
import type { Corners, Vector } from "./projection.ts";

export interface Group {
  name: string;
  concept: string;
  images: number;
  centre: Vector;
  /** Half axes of the ellipsoid of two standard deviations; null where a set has no spread. */
  axes: Vector[] | null;
  flag: string | null;
}

export interface Entry {
  distance: number | null;
  /** Whether it is larger than the spread within both sets; null where that cannot be said. */
  apart: boolean | null;
  p: string | null;
}

export interface SpacePayload {
  points: Buffer;
  sets: number[];
  groups: Group[];
  level: string;
  variance: number[];
  box: [Vector, Vector];
  table: Entry[][];
  tested: boolean;
  verdict: string[];
  remarks: string[];
  model: string;
}

/** One image in space. */
export interface Point {
  readonly set: number;
  /** Its number in its set, from 1. */
  readonly number: number;
  readonly at: Vector;
}

export interface Space {
  readonly payload: SpacePayload;
  readonly points: readonly Point[];
  readonly box: Corners;
}

/** Read a comparison; raises RangeError where the points end before the sets do. */
export function readSpace(payload: SpacePayload): Space {
  const floats = floatsOf(payload.points);
  if (floats.length < 3 * payload.sets.length)
    throw new RangeError(`got ${floats.length / 3} points for ${payload.sets.length} images`);
  const counted = payload.groups.map(() => 0);
  const points = payload.sets.map((set, i) => {
    const number = (counted[set] ?? 0) + 1;
    counted[set] = number;
    return { set, number, at: [...floats.slice(3 * i, 3 * i + 3)] as never };
  });
  return { payload, points, box: payload.box };
}

export interface ChartsPayload {
  /** The point of each set of the inference. */
  of: number[];
  /** Why an inference that is asked for is not here. */
  lack: string;
  inference: InferencePayload;
  pictures: Pictures;
}

export interface Shown {
  inference: InferencePayload;
  pictures: Pictures;
}

/** Those points, in their order, of which there is an inference. */
export function known(charts: ChartsPayload, points: readonly number[]): number[] {
  return points.filter((point) => charts.of.includes(point));
}

/** The inferences of points as if there were no others; keys of concepts stay as they are. */
export function subset(charts: ChartsPayload, points: readonly number[]): Shown {
  const { inference, pictures } = charts;
  const places = points.map((point) => charts.of.indexOf(point));
  const next = new Map(places.map((place, i) => [place, i]));
  const kept = inference.parts.set.map((set) => next.has(set));
  const columns = Object.entries(inference.parts).map(([name, column]) => [
    name,
    (column as unknown[]).filter((_, row) => kept[row]),
  ]);
  const parts = Object.fromEntries(columns) as InferencePayload["parts"];
  parts.set = parts.set.map((set) => next.get(set) as number);
  return {
    inference: { ...inference, parts, sets: at(inference.sets, places) },
    pictures: { ...pictures, places: at(pictures.places ?? [], places) },
  };
}

function at<T>(column: readonly T[], places: readonly number[]): T[] {
  return places.map((place) => column[place] as T);
}
