// A comparison as it comes from the kernel: points, the sets they belong to, and their table.

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
