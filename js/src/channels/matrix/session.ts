// The matrix, how it is sorted and scaled, the chosen cell, and the one under the pointer.
import type { AnyModel } from "@anywidget/types";
import { inflated } from "../../lib/pixels.ts";
import { CheckedSession, type CheckedState } from "../agreement.ts";
import {
  type Columns,
  type MatrixPayload,
  type Rows,
  type Shades,
  shadesOf,
  Weights,
} from "./weights.ts";
import type { Window } from "./window.ts";

export interface Saved {
  rows?: Rows;
  columns?: Columns;
  row?: number;
  window?: Window;
  scaled?: boolean;
  each?: boolean;
  table?: boolean;
}

export interface State extends CheckedState {
  matrix: MatrixPayload;
  offered?: string[];
  view: Saved;
}

/** A class and a channel, by their own numbers. */
export interface Cell {
  readonly row: number;
  readonly channel: number;
}

export type Change = "matrix" | "order" | "window" | "mark" | "checks" | "busy";

const SAVED =
  "This view was opened from saved evidence; another layer takes the fitted Chip; " +
  "run ChannelMatrix(chip) in a notebook to have it live.";

export class Session extends CheckedSession<State, Change> {
  weights: Weights | null = null;
  rows: Int32Array = new Int32Array(0);
  columns: Int32Array = new Int32Array(0);
  shades: Shades | null = null;
  cursor: Cell | null = null;
  private sorted = "";
  private reading = 0;

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.follow("matrix", () => void this.load());
    this.follow("channel", () => this.tell("mark"));
    this.follow("view", () => this.read());
    this.follow("checks", () => this.tell("checks"));
  }

  get shown(): MatrixPayload {
    return this.payload;
  }

  get payload(): MatrixPayload {
    return this.model.get("matrix");
  }

  /** Names of all classes that can be found: those shown, where all are. */
  get names(): readonly string[] {
    const offered = this.model.get("offered") ?? [];
    return offered.length > 0 ? offered : this.payload.classes;
  }

  /** The row of a class by its place among the names; one that is not there is asked for. */
  async rowOf(place: number): Promise<number> {
    if (this.names === this.payload.classes) return place;
    const shown = () => this.model.get("targets") ?? [];
    if (!shown().includes(place)) await this.ask("classes", { classes: [...shown(), place] });
    return shown().indexOf(place);
  }

  get scaled(): boolean {
    return this.saved.scaled ?? true;
  }

  /** The chosen class. */
  get row(): number {
    return Math.min(this.saved.row ?? 0, Math.max(0, this.payload.classes.length - 1));
  }

  async load(): Promise<void> {
    const reading = ++this.reading;
    try {
      const { payload } = this;
      const weights = new Weights(payload, await inflated(payload.data));
      if (reading !== this.reading) return;
      this.weights = weights;
      this.cursor = null;
      this.sorted = "";
      this.read();
      this.tell("matrix");
    } catch (error) {
      this.complain(error);
    }
  }

  point(cell: Cell | null): void {
    const { cursor } = this;
    if (cell?.row === cursor?.row && cell?.channel === cursor?.channel) return;
    this.cursor = cell;
    this.tell("mark");
  }

  /** Choose a cell: its channel, for this view and those linked to it, and its class. */
  pick(cell: Cell): void {
    this.arrange({ row: cell.row });
    this.choose(cell.channel);
  }

  private read(): void {
    const { weights, saved, scaled, row } = this;
    if (!weights) return;
    const by = saved.columns ?? "number";
    const wanted = JSON.stringify([saved.rows, by, by === "class" && row, scaled, saved.each]);
    if (wanted === this.sorted) {
      this.tell("window");
      return;
    }
    this.sorted = wanted;
    this.rows = weights.rowOrder(saved.rows ?? "given");
    this.columns = weights.columnOrder(by, row, scaled);
    this.shades = shadesOf(weights, scaled, saved.each ?? false);
    this.tell("order");
  }
}
