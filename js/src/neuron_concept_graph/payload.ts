// What comes from the kernel: concepts and neurons, portraits, chosen images and maps on them.
import type { Layer } from "../lib/evidence.ts";
import { type Buffer, bytesOf, decodeMap, filesOf, type Grid, type Span } from "../lib/pixels.ts";
import type { Check } from "../lib/trust.ts";
import { listed } from "../lib/words.ts";

export interface Quality {
  precision: number;
  recall: number;
  f1: number;
  chance: number;
  fitted_f1: number;
  regions: number;
  others: number;
}

export interface GraphPayload {
  concepts: string[];
  parents: number[][];
  classes: number[];
  flags: string[];
  quality: Quality[];
  neurons: number[];
  scores: Buffer;
  errors: Buffer;
  estimator: string;
  error: number | null;
  layer: string;
  layers: Layer[];
  f1: number[][];
  /** How far each concept's scores agree with ablation; null where that is not known. */
  checks?: (Check | null)[];
  most: number;
  notes: string[];
  model: string;
}

export interface PortraitsPayload {
  places?: Record<
    string,
    { images: Span[]; values: number[]; at: [number, number][]; ranking?: string }
  >;
  data?: Buffer;
}

export interface MapsPayload {
  concept?: string[];
  picture?: number[];
  extent?: [number, number][];
  zero?: number[];
  step?: number[];
  notes?: string[][];
  data?: Buffer;
}

/** A region in which a neuron is strongest: its picture, its value, and where in it that is. */
export interface Region {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly value: number;
  readonly at: readonly [number, number];
}

export function regionsOf(payload: PortraitsPayload, neuron: number): Region[] | null {
  const placed = payload.places?.[String(neuron)];
  if (!placed) return null;
  return filesOf({ places: placed.images, data: payload.data }).map((bytes, i) => ({
    bytes,
    value: placed.values[i] ?? 0,
    at: placed.at[i] ?? [0.5, 0.5],
  }));
}

/** A concept's map on each chosen image that has one, by the image's place. */
export function mapsOf(payload: MapsPayload, concept: string): Map<number, Grid> {
  const { concept: names = [], picture = [], extent = [], zero = [], step = [] } = payload;
  const bytes = bytesOf(payload.data);
  const found = new Map<number, Grid>();
  let start = 0;
  for (const [i, name] of names.entries()) {
    const size = extent[i] ?? [0, 0];
    if (name === concept)
      found.set(picture[i] ?? -1, decodeMap(bytes, start, size, zero[i] ?? 0, step[i] ?? 1));
    start += size[0] * size[1];
  }
  return found;
}

/** What is to be known of a concept's maps; of some images alone, with the images it is of. */
export function notesOf(
  { concept: names = [], picture = [], notes = [] }: MapsPayload,
  concept: string,
): string[] {
  const places = names.flatMap((name, i) => (name === concept ? [i] : []));
  const said = new Map<string, number[]>();
  for (const i of places)
    for (const note of new Set(notes[i])) said.set(note, [...(said.get(note) ?? []), i]);
  return [...said].map(([note, at]) => {
    if (at.length === places.length) return note;
    const images = at.map((i) => String((picture[i] ?? 0) + 1));
    return `Image${at.length === 1 ? "" : "s"} ${listed(images)}: ${note}`;
  });
}
