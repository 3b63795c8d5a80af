// What the parts of the view share: filters, names, what is chosen, and what can be undone.

import type { AnyModel } from "@anywidget/types";
import { KernelError } from "../lib/kernel.ts";
import { inflated } from "../lib/pixels.ts";
import { ViewSession } from "../lib/session.ts";
import { type Names, nextOpen, partOf, shownFilters } from "./choice.ts";
import type { SheetPayload } from "./payload.ts";

export interface Saved {
  show?: string;
  at?: number;
  /** Names on their way to the kernel, by filter; null takes one away. */
  sent?: Record<string, string | null>;
}

export interface State {
  [name: string]: unknown;
  sheet: SheetPayload;
  live: boolean;
  names: Record<string, string>;
  view: Saved;
}

export type Change = "names" | "choice" | "order" | "pixels" | "busy";

interface Step {
  readonly filter: number;
  readonly before: string | undefined;
}

const ALONE =
  "The kernel does not answer, so the names are kept on this page alone: save the notebook, or " +
  "write them to a file with Download, and open it with FilterLabeler(..., labels=path).";

export class Session extends ViewSession<State, Change> {
  /** The filters that are shown, in order. */
  order: number[] = [];
  masks: Uint8Array = new Uint8Array(0);
  private chosen: number;
  private readonly steps: Step[] = [];

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, "", "busy");
    this.chosen = this.saved.at ?? 0;
    this.arrangeOrder();
    this.follow("names", () => this.renamed());
    this.follow("view", () => this.viewed());
    this.follow("sheet", () => {
      void this.load().catch(complain);
      this.arrangeOrder();
      this.tell("order");
    });
    // saved, or the page reloaded, before the kernel had answered
    for (const [filter, name] of Object.entries(this.sent)) void this.tellKernel(+filter, name);
  }

  get sheet(): SheetPayload {
    return this.model.get("sheet");
  }

  get show(): string {
    return this.saved.show ?? "all";
  }

  get names(): Names {
    const found: Record<string, string> = { ...this.model.get("names") };
    for (const [filter, name] of Object.entries(this.sent)) {
      if (name === null) delete found[filter];
      else found[filter] = name;
    }
    return found;
  }

  private get sent(): Record<string, string | null> {
    return this.saved.sent ?? {};
  }

  /** The chosen filter, or -1 where none is shown. */
  get at(): number {
    return this.order.includes(this.chosen) ? this.chosen : (this.order[0] ?? -1);
  }

  get undoable(): boolean {
    return this.steps.length > 0;
  }

  async load(): Promise<void> {
    this.masks = await inflated(this.sheet.masks);
    this.tell("pixels");
  }

  choose(filter: number): void {
    if (filter === this.chosen || !this.order.includes(filter)) return;
    this.chosen = filter;
    this.arrange({ at: filter });
    this.tell("choice");
  }

  /** Show other filters, from the first of them on; among all, the chosen one stays so. */
  showOnly(show: string): void {
    const first = show === "all" ? undefined : shownFilters(this.sheet, this.names, show)[0];
    this.arrange({ show, at: first ?? this.chosen });
    this.viewed();
  }

  /** Name a filter (an empty name: it answers to no part; null: take the name away), and go on. */
  name(filter: number, name: string | null): void {
    if (filter < 0 || (this.names[filter] ?? null) === name) return;
    this.steps.push({ filter, before: this.names[filter] });
    const next = name === null ? null : nextOpen(this.sheet, this.names, this.order, filter);
    const beside = this.neighbour(filter);
    this.put(filter, name);
    this.leadTo(next ?? (this.order.includes(filter) ? filter : beside));
  }

  /** Go to the next filter without an answer; false where there is none. */
  goOn(step: 1 | -1): boolean {
    const next = nextOpen(this.sheet, this.names, this.order, this.at, step);
    if (next === null) return false;
    this.leadTo(next);
    return true;
  }

  undo(): void {
    const last = this.steps.pop();
    if (!last) return;
    this.put(last.filter, last.before ?? null);
    if (!this.order.includes(last.filter)) this.showOnly("all");
    this.leadTo(last.filter);
  }

  private neighbour(filter: number): number {
    const at = this.order.indexOf(filter);
    return this.order[at + 1] ?? this.order[at - 1] ?? -1;
  }

  private leadTo(filter: number): void {
    if (filter >= 0 && this.order.includes(filter) && filter !== this.chosen) {
      this.chosen = filter;
      this.arrange({ at: filter });
    }
    this.tell("choice");
  }

  private put(filter: number, name: string | null): void {
    this.arrange({ sent: { ...this.sent, [filter]: name } });
    this.renamed();
    void this.tellKernel(filter, name);
  }

  private async tellKernel(filter: number, name: string | null): Promise<void> {
    try {
      if (this.live) await this.kernel.ask("name", { filter, name });
      else this.keepHere();
    } catch (error) {
      if (error instanceof KernelError) this.refused(filter, error);
      else {
        this.keepHere();
        this.complain(ALONE);
      }
    }
    this.arrived(filter, name);
    this.renamed();
  }

  private arrived(filter: number, name: string | null): void {
    const { [filter]: last, ...others } = this.sent;
    if (last === name) this.arrange({ sent: others });
  }

  private refused(filter: number, error: KernelError): void {
    const last = this.steps.map((step) => step.filter).lastIndexOf(filter);
    if (last >= 0) this.steps.splice(last, 1);
    this.complain(error);
  }

  /** Keep all names in the view's own state, which is saved with the notebook. */
  private keepHere(): void {
    const names = this.names;
    this.model.set("names", { ...names });
    this.arrange({ sent: {} });
  }

  private renamed(): void {
    this.arrangeOrder();
    this.tell("names");
  }

  private viewed(): void {
    this.chosen = this.saved.at ?? this.chosen;
    this.arrangeOrder();
    this.tell("order");
  }

  private arrangeOrder(): void {
    const { names, show } = this;
    const part = partOf(show);
    // the last filter of a part was named anew
    const gone = part !== null && !Object.values(names).includes(part);
    this.order = shownFilters(this.sheet, names, gone ? "all" : show);
  }
}
