// What the parts of one view share: the inferences, what is chosen and open, the kernel.
import type { AnyModel } from "@anywidget/types";
import { Cancelled, type Fields, Kernel } from "../lib/kernel.ts";
import { Painter, type Pictures } from "./painter.ts";
import {
  type Concept,
  type Inference,
  type InferencePayload,
  nearest,
  readInference,
} from "./payload.ts";

export interface Saved {
  selected?: string;
  zoom?: string;
  open?: string[];
}

export interface State {
  [name: string]: unknown;
  inference: InferencePayload;
  pictures: Pictures;
  classes: string[];
  live: boolean;
  view: Saved;
}

export type Change = "inference" | "arrangement" | "look" | "pixels" | "busy";
type Listener = (change: Change) => void;

const SAVED =
  "This view was opened from saved evidence; asking for more takes the fitted Chain; " +
  "run the cell again with the chain and the images to have it live.";

export class Session {
  inference: Inference;
  hovered: Concept | null = null;
  readonly painter = new Painter();
  readonly kernel: Kernel;
  private readonly listeners: Listener[] = [];
  private readonly bindings: [string, () => void][];

  constructor(
    readonly model: AnyModel<State>,
    private readonly complain: (error: unknown) => void,
  ) {
    this.inference = readInference(model.get("inference"));
    this.kernel = new Kernel(model, () => this.tell("busy"));
    this.bindings = [
      ["change:inference", () => this.guard(() => this.read())],
      ["change:view", () => this.tell("arrangement")],
      ["change:pictures", () => void this.load()],
    ];
    for (const [event, act] of this.bindings) model.on(event as "change:view", act);
  }

  on(listener: Listener): void {
    this.listeners.push(listener);
  }

  tell(change: Change): void {
    for (const listener of this.listeners) this.guard(() => listener(change));
  }

  get live(): boolean {
    return this.model.get("live");
  }

  get sets() {
    return this.inference.payload.sets;
  }

  private get saved(): Saved {
    return this.model.get("view") ?? {};
  }

  get selected(): Concept {
    return nearest(this.inference, this.saved.selected ?? "");
  }

  /** The concept that is looked at: under the pointer or in focus, else chosen. */
  get current(): Concept {
    return this.hovered ?? this.selected;
  }

  /** The concept in the middle of the rings. */
  get zoom(): Concept {
    return nearest(this.inference, this.saved.zoom ?? "");
  }

  get open(): ReadonlySet<string> {
    return new Set(this.saved.open ?? this.inference.payload.open);
  }

  change(next: Saved): void {
    this.model.set("view", { ...this.saved, ...next });
    this.model.save_changes();
  }

  select(concept: Concept): void {
    if (concept.key !== this.selected.key) this.change({ selected: concept.key });
  }

  zoomTo(concept: Concept): void {
    this.change({ selected: concept.key, zoom: concept.key });
  }

  setOpen(concepts: Iterable<Concept>, open: boolean): void {
    const now = new Set(this.open);
    for (const { key } of concepts) open ? now.add(key) : now.delete(key);
    this.change({ open: [...now].sort() });
  }

  hover(concept: Concept | null): void {
    if (concept === this.hovered) return;
    this.hovered = concept;
    this.tell("look");
  }

  /** Ask for the inference of another class; what is being worked on is given up. */
  async explain(target: string | number): Promise<void> {
    if (!this.live) {
      this.complain(SAVED);
      return;
    }
    this.kernel.cancel();
    await this.ask("explain", { target });
  }

  private async ask(kind: string, fields: Fields): Promise<void> {
    try {
      await this.kernel.ask(kind, fields);
    } catch (error) {
      if (!(error instanceof Cancelled)) this.complain(error);
    }
  }

  async load(): Promise<void> {
    try {
      await this.painter.load(this.model.get("pictures"));
    } catch (error) {
      this.complain(error);
    }
    this.tell("pixels");
  }

  close(): void {
    for (const [event, act] of this.bindings) this.model.off(event as "change:view", act);
    this.kernel.close();
    this.listeners.length = 0;
  }

  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.complain(error);
    }
  }

  private read(): void {
    this.inference = readInference(this.model.get("inference"));
    this.hovered = null;
    this.tell("inference");
  }
}
