// The weights, one byte each, and the orders in which rows and columns can stand.
import { type Buffer, floatsOf } from "../../lib/pixels.ts";

export interface MatrixPayload {
  layer: string;
  classes: string[];
  channels: number;
  sparsity: number;
  data: Buffer;
  means: Buffer;
  peaks: number[];
  nonzero: number[];
  fit: (number | null)[];
  flags: string[];
  strongest: [number, number][][];
  shared: number[];
  alike: number[];
  blocks: number[];
  notes: string[];
  model: string;
}

export type Rows = "given" | "name" | "alike";
export type Columns = "number" | "class" | "shared" | "blocks";

const ZERO = 128;
const FINEST = 127;

export class Weights {
  readonly rows: number;
  readonly columns: number;
  readonly means: Float32Array;
  /** The weights that are not zero, row after row: `starts[row]` is where a row begins. */
  readonly starts: Int32Array;
  readonly channels: Int32Array;
  readonly codes: Int8Array;

  constructor(
    readonly payload: MatrixPayload,
    readonly bytes: Uint8Array,
  ) {
    this.rows = payload.classes.length;
    this.columns = payload.channels;
    this.means = floatsOf(payload.means);
    if (bytes.length !== this.rows * this.columns)
      throw new RangeError(`${bytes.length} weights came for ${this.rows} × ${this.columns} cells`);
    let count = 0;
    for (const byte of bytes) if (byte !== ZERO) count++;
    this.starts = new Int32Array(this.rows + 1);
    this.channels = new Int32Array(count);
    this.codes = new Int8Array(count);
    this.gather();
  }

  private gather(): void {
    let n = 0;
    for (let row = 0; row < this.rows; row++) {
      for (let k = 0; k < this.columns; k++) {
        const code = (this.bytes[row * this.columns + k] as number) - ZERO;
        if (code === 0) continue;
        this.channels[n] = k;
        this.codes[n++] = code;
      }
      this.starts[row + 1] = n;
    }
  }

  /** The weight of a channel for a class, times the channel's mean activation if `scaled`. */
  value(row: number, column: number, scaled: boolean): number {
    const q = ((this.bytes[row * this.columns + column] as number) - ZERO) / FINEST;
    const weight = Math.sign(q) * q * q * (this.payload.peaks[row] as number);
    return scaled ? weight * (this.means[column] as number) : weight;
  }

  /** The largest size in each row. */
  largest(scaled: boolean): Float64Array {
    if (!scaled) return Float64Array.from(this.payload.peaks);
    return Float64Array.from({ length: this.rows }, (_, row) => {
      let most = 0;
      for (let n = this.starts[row] as number; n < (this.starts[row + 1] as number); n++) {
        const code = this.codes[n] as number;
        const mean = this.means[this.channels[n] as number] as number;
        most = Math.max(most, code * code * Math.abs(mean));
      }
      return (most / FINEST ** 2) * (this.payload.peaks[row] as number);
    });
  }

  rowOrder(by: Rows): Int32Array {
    const { classes, alike } = this.payload;
    if (by === "alike") return Int32Array.from(alike);
    const given = classes.map((_, i) => i);
    if (by === "name")
      given.sort((a, b) => (classes[a] as string).localeCompare(classes[b] as string));
    return Int32Array.from(given);
  }

  columnOrder(by: Columns, row: number, scaled: boolean): Int32Array {
    if (by === "blocks") return Int32Array.from(this.payload.blocks);
    const order = Array.from({ length: this.columns }, (_, k) => k);
    const { shared } = this.payload;
    if (by === "shared")
      order.sort((a, b) => (shared[b] as number) - (shared[a] as number) || a - b);
    if (by === "class") {
      const values = order.map((k) => this.value(row, k, scaled));
      order.sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
    }
    return Int32Array.from(order);
  }
}

/** What turns bytes into places on the colour scale: square roots, so that small weights show. */
export interface Shades {
  readonly row: Float32Array;
  readonly column: Float32Array;
  /** The size at the end of the scale; null where each class has its own. */
  readonly end: number | null;
}

export function shadesOf(weights: Weights, scaled: boolean, each: boolean): Shades {
  const largest = weights.largest(scaled);
  const end = largest.reduce((a, b) => Math.max(a, b), 0);
  const row = Float32Array.from(largest, (own, i) => {
    const most = each ? own : end;
    return most > 0 ? Math.sqrt((weights.payload.peaks[i] as number) / most) / FINEST : 0;
  });
  const column = scaled
    ? Float32Array.from(weights.means, (mean) => Math.sign(mean) * Math.sqrt(Math.abs(mean)))
    : new Float32Array(weights.columns).fill(1);
  return { row, column, end: each ? null : end };
}
