// The heatmaps as they come from the kernel, each within reach by its method, class and layer.
import type { Layer, Prediction } from "../lib/evidence.ts";
import { type Buffer, bytesOf, decodeMap, type Grid } from "../lib/pixels.ts";

/** A class: its index, or its name where it has none. */
export type Key = number | string;
export type Box = [x0: number, y0: number, x1: number, y1: number];

interface Columns {
  method: string[];
  target: Key[];
  layer: string[];
  contested: boolean[];
  of: string[];
  extent: [number, number][];
  zero: number[];
  step: number[];
  picture: number[];
  grid: [number, number][];
  low: number[];
  high: number[];
  channels: ([number, number] | null)[];
  boxed: number[];
  foreign: number[];
  rivals: number[];
  against: string[][];
  box: (Box | null)[];
  threshold: (number | null)[];
  notes: string[][];
}

export interface SheetPayload {
  size: [number, number];
  model: string;
  sparsity: number | null;
  /** How many other classes the engine holds places against; null without an engine. */
  rivals: number | null;
  methods: { name: string; whole: boolean; weighed: boolean; contested: boolean }[];
  predictions: Prediction[];
  layers: Layer[];
  targets: { key: Key; name: string | null }[];
  notes: string[];
  errors: [method: string, target: Key, layer: string, contested: boolean, text: string][];
  maps: Columns;
  data: Buffer;
  pictures: Buffer;
}

/** One map: of a method, for a class, in a layer ("" where a method has one map per class). */
export interface HeatCell {
  readonly method: string;
  readonly target: Key;
  readonly layer: string;
  /** Whether places are held against other classes, `rivals` of them, named where it is known. */
  readonly contested: boolean;
  readonly rivals: number;
  readonly against: readonly string[];
  /** The layer's own name, or the names of several. */
  readonly of: string;
  readonly grid: readonly [number, number];
  readonly low: number;
  readonly high: number;
  readonly channels: readonly [number, number] | null;
  readonly boxed: boolean;
  /** Whether its box was that of another map, and is not drawn. */
  readonly foreign: boolean;
  readonly box: Box | null;
  readonly threshold: number | null;
  readonly notes: readonly string[];
  readonly values: Grid;
  readonly picture: Uint8Array<ArrayBuffer> | null;
}

export function spotOf(method: string, target: Key, layer: string, contested: boolean): string {
  return JSON.stringify([method, target, layer, contested]);
}

/** Methods whose maps may hold places against other classes. */
const CONTESTED: readonly string[] = ["CHIP", "Guided CHIP"];

/**
 * A sheet that was saved before contests were said: of its maps nobody knows what they were held
 * against, and their boxes were those of plain sums.
 */
function completed(sheet: SheetPayload): SheetPayload {
  const { maps } = sheet;
  if (maps.contested) return sheet;
  const none = maps.method.map(() => 0);
  const foreign = maps.method.map((method, i) => CONTESTED.includes(method) && maps.box[i]);
  const errors = sheet.errors as unknown as [string, Key, string, string][];
  return {
    ...sheet,
    rivals: null,
    methods: sheet.methods.map((one) => ({ ...one, contested: false })),
    errors: errors.map(([method, target, layer, text]) => [method, target, layer, false, text]),
    maps: {
      ...maps,
      contested: none.map(() => false),
      rivals: none,
      against: none.map(() => []),
      foreign: foreign.map((one) => (one ? 1 : 0)),
      box: maps.box.map((box, i) => (foreign[i] ? null : box)),
    },
  };
}

export class Sheet {
  readonly payload: SheetPayload;
  private readonly cells = new Map<string, HeatCell>();
  private readonly errors = new Map<string, string>();
  private readonly names = new Map<Key, string>();

  constructor(
    saved: SheetPayload,
    private readonly classes: readonly string[],
  ) {
    const payload = completed(saved);
    this.payload = payload;
    for (const { index, name } of payload.predictions) this.names.set(index, name);
    for (const { key, name } of payload.targets) if (name !== null) this.names.set(key, name);
    for (const [method, target, layer, contested, text] of payload.errors)
      this.errors.set(spotOf(method, target, layer, contested), text);
    for (const cell of readCells(payload))
      this.cells.set(spotOf(cell.method, cell.target, cell.layer, cell.contested), cell);
  }

  cell(method: string, target: Key, layer: string, contested: boolean): HeatCell | null {
    return this.cells.get(spotOf(method, target, layer, contested)) ?? null;
  }

  error(method: string, target: Key, layer: string, contested: boolean): string | null {
    return this.errors.get(spotOf(method, target, layer, contested)) ?? null;
  }

  /** The maps of a method that there are or can be had: contested, plain, or both. */
  kinds(method: string): readonly boolean[] {
    const { methods, rivals, errors } = this.payload;
    if (!methods.find((one) => one.name === method)?.contested) return [false];
    if (rivals !== null) return rivals > 0 ? [true, false] : [false];
    const cells = this.all().filter((cell) => cell.method === method);
    const failed = errors.filter((one) => one[0] === method);
    const known = [...cells.map((cell) => cell.contested), ...failed.map((one) => one[3])];
    return known.length === 0 ? [false] : [true, false].filter((kind) => known.includes(kind));
  }

  all(): HeatCell[] {
    return [...this.cells.values()];
  }

  name(target: Key): string {
    return (
      this.names.get(target) ??
      (typeof target === "number" ? this.classes[target] : target) ??
      String(target)
    );
  }

  probability(target: Key): number | null {
    return this.payload.predictions.find((one) => one.index === target)?.probability ?? null;
  }

  layer(name: string): Layer | null {
    return this.payload.layers.find((one) => one.name === name) ?? null;
  }

  /** Whether the maps of a method change with the sparsity. */
  weighed(method: string): boolean {
    return this.payload.methods.find((one) => one.name === method)?.weighed ?? false;
  }

  /** The columns of a method, deepest layer first; of `every` layer, or of those with a map. */
  columns(method: string, every: boolean): string[] {
    if (this.payload.methods.find((one) => one.name === method)?.whole) return [""];
    const known = this.payload.layers.map((one) => one.name);
    const found = new Set(
      this.all()
        .filter((cell) => cell.method === method)
        .map((cell) => cell.layer),
    );
    for (const [of, , layer] of this.payload.errors) if (of === method) found.add(layer);
    const rest = [...found].filter((name) => !known.includes(name));
    return [...known.filter((name) => every || found.has(name)), ...rest];
  }
}

function readCells({ maps, data, pictures }: SheetPayload): HeatCell[] {
  const bytes = bytesOf(data);
  const drawn = bytesOf(pictures);
  let [start, from] = [0, 0];
  return maps.method.map((method, i) => {
    const at = <T>(column: T[]) => column[i] as T;
    const extent = at(maps.extent);
    const [begin, length] = [from, at(maps.picture)];
    const values = decodeMap(bytes, start, extent, at(maps.zero), at(maps.step));
    start += extent[0] * extent[1];
    from += length;
    return {
      method,
      target: at(maps.target),
      layer: at(maps.layer),
      contested: at(maps.contested),
      rivals: at(maps.rivals),
      against: at(maps.against),
      of: at(maps.of),
      grid: at(maps.grid),
      low: at(maps.low),
      high: at(maps.high),
      channels: at(maps.channels),
      boxed: at(maps.boxed) === 1,
      foreign: at(maps.foreign) === 1,
      box: at(maps.box),
      threshold: at(maps.threshold),
      notes: at(maps.notes),
      values,
      picture: length > 0 ? drawn.slice(begin, begin + length) : null,
    };
  });
}
