// Where heatmaps stand, how the arrow keys move between them, and what their colours stand for.

export { moved, type Place } from "../lib/cells.ts";

/** `across`: one map per class, all in one row that may break; else a row per class. */
export interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly across: boolean;
}

export function shapeOf(targets: number, layers: number): Shape {
  const across = layers === 1;
  return across
    ? { rows: 1, columns: targets, across }
    : { rows: targets, columns: layers, across };
}

export type Scale = "map" | "layer" | "all";

interface Extent {
  readonly layer: string;
  readonly low: number;
  readonly high: number;
}

/** The value that the strongest colour stands for on `one` of the maps shown; 1 where all is 0. */
export function strongest<E extends Extent>(
  one: E,
  shown: readonly E[],
  scale: Scale,
  signed: boolean,
): number {
  const peers = shown.filter(
    (other) => scale === "all" || (scale === "layer" && other.layer === one.layer),
  );
  const sizes = [one, ...peers].map(({ low, high }) => Math.max(high, signed ? -low : 0));
  return Math.max(0, ...sizes) || 1;
}

/** The peaks of the maps of one layer, to which a map on its own scale is compared. */
export function peaks<E extends Extent>(one: E, shown: readonly E[], signed: boolean): number[] {
  const peers = shown.filter(({ layer }) => layer === one.layer);
  return peers.map(({ low, high }) => Math.max(high, signed ? -low : 0));
}

export const SPARSITY = { least: 0.0003, most: 1, steps: 200 };
const DECADES = Math.log(SPARSITY.most / SPARSITY.least);

/** A sparsity of two digits from a slider's step: equal steps are equal factors. */
export function sparsityAt(step: number): number {
  const exact = SPARSITY.least * Math.exp((DECADES * step) / SPARSITY.steps);
  const rounded = Number(exact.toPrecision(2));
  return Math.min(SPARSITY.most, Math.max(SPARSITY.least, rounded));
}

export function stepOf(sparsity: number): number {
  const held = Math.min(SPARSITY.most, Math.max(SPARSITY.least, sparsity));
  return Math.round((SPARSITY.steps * Math.log(held / SPARSITY.least)) / DECADES);
}

/** The step of a slider: where it stands if that means the sparsity already (two steps may mean
 * one), so that the next key goes on from there. */
export function stepFor(sparsity: number, stands: number): number {
  return sparsityAt(stands) === sparsity ? stands : stepOf(sparsity);
}
