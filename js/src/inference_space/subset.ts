// Of the inferences that the page holds, those of the points that are chosen.
import type { Pictures } from "../concept_inference/painter.ts";
import type { InferencePayload } from "../concept_inference/payload.ts";

export interface ChartsPayload {
  /** The point of each set of the inference. */
  of: number[];
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
