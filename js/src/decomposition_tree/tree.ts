// The decomposition as it comes from the kernel, with every node's map and picture within reach.
import type { Layer, Prediction } from "../lib/evidence.ts";
import { type Buffer, bytesOf, decodeMap, type Grid } from "../lib/pixels.ts";
import { type Box, cropBox, fieldBox, mapBox, union } from "./geometry.ts";

export type { Layer, Prediction };

interface Columns {
  parent: number[];
  layer: number[];
  channel: number[];
  position: [number, number][];
  value: number[];
  contribution: number[];
  share: number[];
  box: [number, number, number, number][];
  also: number[][];
  negated: number[];
  unclipped: number[];
  activated: (number | null)[];
  completeness: (number | null)[];
  /** Of a tree by ablation. */
  estimate?: (number | null)[];
  corner: [number, number][];
  extent: [number, number][];
  grid: [number, number][];
  zero: number[];
  step: number[];
}

export type Method = "gradient" | "ablation";

export interface TreePayload {
  size: [number, number];
  top_k: number;
  target: Prediction;
  predictions: Prediction[];
  layers: Layer[];
  notes: string[];
  model: string;
  method?: Method;
  nodes: Columns;
  maps: Buffer;
}

export class TreeNode {
  readonly children: TreeNode[] = [];
  private grid: Grid | null = null;

  constructor(
    readonly key: string,
    readonly path: readonly number[],
    readonly parent: TreeNode | null,
    readonly layer: Layer | null,
    readonly facts: Facts,
    private readonly decode: () => Grid,
  ) {}

  get depth(): number {
    return this.path.length;
  }

  get decomposed(): boolean {
    return this.facts.activated !== null;
  }

  /** The activation map, decoded when first asked for. */
  get map(): Grid {
    this.grid ??= this.decode();
    return this.grid;
  }

  /** From the decision down to this node. */
  get line(): TreeNode[] {
    return [...(this.parent?.line ?? []), this];
  }
}

export interface Facts {
  channel: number;
  position: readonly [number, number];
  value: number;
  contribution: number;
  share: number;
  box: Box;
  also: readonly number[];
  negated: boolean;
  unclipped: boolean;
  activated: number | null;
  completeness: number | null;
  /** What the gradient says the decision would lose without the channel; null where it is the contribution. */
  estimate: number | null;
  /** Where the map lies in the image, and the part of the image that shows both map and field. */
  mapBox: Box;
  crop: Box;
  /** The part of the image that shows the unit's own field. */
  fieldCrop: Box;
}

export interface Tree {
  readonly root: TreeNode;
  readonly nodes: ReadonlyMap<string, TreeNode>;
  readonly payload: TreePayload;
}

/** Read a tree; raises RangeError where its columns or its buffer do not fit together. */
export function readTree(payload: TreePayload): Tree {
  const bytes = bytesOf(payload.maps);
  const { nodes: columns, size } = payload;
  const starts = mapStarts(columns.extent);
  const made: TreeNode[] = [];
  columns.parent.forEach((above, i) => {
    const parent = made[above] ?? null;
    const path = parent ? [...parent.path, parent.children.length] : [];
    const extent = cell(columns.extent, i);
    const node = new TreeNode(
      path.join("."),
      path,
      parent,
      payload.layers[cell(columns.layer, i)] ?? null,
      factsOf(columns, i, size),
      () => decodeMap(bytes, cell(starts, i), extent, cell(columns.zero, i), cell(columns.step, i)),
    );
    parent?.children.push(node);
    made.push(node);
  });
  const root = made[0];
  if (!root) throw new RangeError("the tree has no nodes");
  return { root, nodes: new Map(made.map((node) => [node.key, node])), payload };
}

function factsOf(columns: Columns, i: number, size: [number, number]): Facts {
  const box = cell(columns.box, i);
  const seen = mapBox(
    cell(columns.corner, i),
    cell(columns.extent, i),
    cell(columns.grid, i),
    size,
  );
  return {
    channel: cell(columns.channel, i),
    position: cell(columns.position, i),
    value: cell(columns.value, i),
    contribution: cell(columns.contribution, i),
    share: cell(columns.share, i),
    box,
    also: cell(columns.also, i),
    negated: Boolean(columns.negated[i]),
    unclipped: Boolean(columns.unclipped[i]),
    activated: columns.activated[i] ?? null,
    completeness: columns.completeness[i] ?? null,
    estimate: columns.estimate?.[i] ?? null,
    mapBox: seen,
    crop: cropBox(union(box, seen), size),
    fieldCrop: fieldBox(box, size),
  };
}

function mapStarts(extents: readonly [number, number][]): number[] {
  let next = 0;
  return extents.map(([height, width]) => {
    const start = next;
    next += height * width;
    return start;
  });
}

function cell<T>(column: readonly T[], i: number): T {
  const value = column[i];
  if (value === undefined) throw new RangeError(`the tree's columns end before node ${i}`);
  return value;
}

/** The nodes of the strongest path, from the decision to the last stage. */
export function strongestLine(from: TreeNode): TreeNode[] {
  const next = from.children[0];
  return [from, ...(next ? strongestLine(next) : [])];
}

/** What the gradient's estimate would be on the scale of measured shares; null where it is no news. */
export function estimatedShare({ facts }: TreeNode): number | null {
  const { estimate, contribution, share } = facts;
  if (estimate === null || contribution === 0) return null;
  return (share * estimate) / contribution;
}
