// Inferences as they come from the kernel: one tree, in which each set says what a concept is to it.
import type { Layer, Prediction } from "../lib/evidence.ts";
import { type Buffer, bytesOf, decodeMap, type Grid } from "../lib/pixels.ts";

interface Placed {
  start: number;
  extent: [number, number];
  zero: number;
  step: number;
}

interface SetPayload {
  name: string;
  target: Prediction;
  size: [height: number, width: number];
  /** How many images were explained together; 0 for one image with maps of its own. */
  images: number;
  notes: string[];
  /** Whether concepts were chosen by their places too. */
  placed?: string;
  /** Which concepts are drawn pale, and why. */
  pale?: string;
  model: string;
}

interface Parts {
  node: number[];
  set: number[];
  part: number[];
  map: (Placed | null)[];
  weight: number[];
  share: number[];
  unexplained: (number | null)[];
  precision: (number | null)[];
  chance: (number | null)[];
  count: number[];
  flag: (string | null)[];
  inferred: boolean[];
  hardly?: (string | null)[];
}

export interface InferencePayload {
  levels: string[];
  layers: (Layer | null)[];
  sets: SetPayload[];
  open: string[];
  nodes: { parent: number[]; concept: string[]; colour: string[] };
  parts: Parts;
  maps: Buffer;
}

/** What one set says of a concept. */
export interface Part {
  readonly set: number;
  readonly weight: number;
  readonly share: number;
  /** Of the absolute weights of all siblings. */
  readonly part: number;
  readonly unexplained: number | null;
  readonly precision: number | null;
  readonly chance: number | null;
  readonly count: number;
  readonly flag: string | null;
  /** Whether it was inferred what it rests on. */
  readonly inferred: boolean;
  /** That its classifier is hardly better than a guess, in words. */
  readonly hardly: string | null;
  readonly map: Grid | null;
}

export class Concept {
  readonly children: Concept[] = [];
  /** By set; null where a set does not rest on it here. */
  readonly parts: (Part | null)[];

  constructor(
    readonly key: string,
    readonly path: readonly number[],
    readonly parent: Concept | null,
    readonly name: string,
    readonly colour: string,
    sets: number,
  ) {
    this.parts = Array<Part | null>(sets).fill(null);
  }

  get depth(): number {
    return this.path.length;
  }

  /** From the decision down to this concept. */
  get line(): Concept[] {
    return [...(this.parent?.line ?? []), this];
  }

  get known(): Part[] {
    return this.parts.filter((part) => part !== null);
  }
}

export interface Inference {
  readonly payload: InferencePayload;
  readonly root: Concept;
  readonly concepts: ReadonlyMap<string, Concept>;
}

/** Read inferences; raises RangeError where columns or buffer do not fit together. */
export function readInference(payload: InferencePayload): Inference {
  const { nodes, sets } = payload;
  const made: Concept[] = [];
  nodes.parent.forEach((above, i) => {
    const parent = made[above] ?? null;
    const path = parent ? [...parent.path, parent.children.length] : [];
    const [name, colour] = [cell(nodes.concept, i), cell(nodes.colour, i)];
    const concept = new Concept(path.join("."), path, parent, name, colour, sets.length);
    parent?.children.push(concept);
    made.push(concept);
  });
  readParts(payload, made);
  const root = made[0];
  if (!root) throw new RangeError("the inference has no concepts");
  return { payload, root, concepts: new Map(made.map((one) => [one.key, one])) };
}

function readParts({ parts, maps }: InferencePayload, made: Concept[]): void {
  const bytes = bytesOf(maps);
  const decoded = new Map<number, Grid>();
  const grid = (placed: Placed | null): Grid | null => {
    if (!placed) return null;
    const { start, extent, zero, step } = placed;
    const found = decoded.get(start) ?? decodeMap(bytes, start, extent, zero, step);
    decoded.set(start, found);
    return found;
  };
  parts.node.forEach((node, i) => {
    const set = cell(parts.set, i);
    cell(made, node).parts[set] = {
      set,
      weight: cell(parts.weight, i),
      share: cell(parts.share, i),
      part: cell(parts.part, i),
      unexplained: cell(parts.unexplained, i),
      precision: cell(parts.precision, i),
      chance: cell(parts.chance, i),
      count: cell(parts.count, i),
      flag: cell(parts.flag, i),
      inferred: cell(parts.inferred, i),
      hardly: parts.hardly?.[i] ?? null,
      map: grid(cell(parts.map, i)),
    };
  });
}

function cell<T>(column: readonly T[], i: number): T {
  const value = column[i];
  if (value === undefined) throw new RangeError(`the inference's columns end before ${i}`);
  return value;
}

/** The concept of a key, or the nearest one above it that exists. */
export function nearest(inference: Inference, key: string): Concept {
  let at = key;
  while (!inference.concepts.has(at)) at = at.includes(".") ? at.replace(/\.\d+$/, "") : "";
  return inference.concepts.get(at) as Concept;
}
