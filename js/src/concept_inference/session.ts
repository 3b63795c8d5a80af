// What the parts of one view share: the inferences, what is chosen and open, the checks against
// ablation, the kernel and what it is doing, and for how long.
import type { AnyModel } from "@anywidget/types";
import { Checks } from "../lib/checks.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import type { Wording } from "../lib/trust.ts";
import { Painter, type Pictures } from "./painter.ts";
import {
  type Concept,
  type Inference,
  type InferencePayload,
  nearest,
  type Part,
  readInference,
} from "./payload.ts";

export interface Saved {
  selected?: string;
  zoom?: string;
  open?: string[];
}

export interface State extends ViewState {
  inference: InferencePayload;
  pictures: Pictures;
  classes: string[];
  view: Saved;
}

export type Change = "inference" | "arrangement" | "look" | "pixels" | "checks" | "busy";

const SAVED =
  "This view was opened from saved evidence; asking for more takes the fitted Chain; run the " +
  "cell again.";

export class Session extends ViewSession<State, Change> {
  inference: Inference;
  hovered: Concept | null = null;
  readonly painter = new Painter();

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.inference = readInference(model.get("inference"));
    this.follow("inference", () => this.read());
    this.follow("view", () => this.tell("arrangement"));
    this.follow("checks", () => this.tell("checks"));
    this.follow("pictures", () => void this.load());
  }

  get sets() {
    return this.inference.payload.sets;
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

  select(concept: Concept): void {
    if (concept.key !== this.selected.key) this.arrange({ selected: concept.key });
  }

  zoomTo(concept: Concept): void {
    this.arrange({ selected: concept.key, zoom: concept.key });
  }

  setOpen(concepts: Iterable<Concept>, open: boolean): void {
    const now = new Set(this.open);
    for (const { key } of concepts) open ? now.add(key) : now.delete(key);
    this.arrange({ open: [...now].sort() });
  }

  hover(concept: Concept | null): void {
    if (concept === this.hovered) return;
    this.hovered = concept;
    this.tell("look");
  }

  /** Ask for the inference of another class; what is being worked on is given up. */
  async explain(target: string | number): Promise<void> {
    this.kernel.cancel();
    await this.ask("explain", { target });
  }

  async load(): Promise<void> {
    await this.tellAfter(this.painter.load(this.model.get("pictures")), "pixels");
  }

  private read(): void {
    this.inference = readInference(this.model.get("inference"));
    this.hovered = null;
    this.tell("inference");
  }
}

/** What is said of a concept in a set: how its channels weigh, and how much of that concepts are. */
export function wording({ unexplained }: Part): Wording {
  return {
    what: "the weighing of the channels",
    whole: "it",
    they: "these concepts",
    total: unexplained === null ? null : 1 - unexplained,
  };
}

/** A concept in one set. */
interface ConceptPart {
  readonly concept: Concept;
  readonly part: Part;
}

export type ConceptChecks = Checks<ConceptPart>;

/** The checks of concepts: the decision of each set, and what is looked at. */
export function conceptChecks(session: Session): ConceptChecks {
  return new Checks(session, {
    spot: ({ concept, part }) => ({
      key: `${part.set}|${concept.key}`,
      fields: { set: part.set, path: [...concept.path] },
    }),
    wanted: () => [session.inference.root, session.selected].flatMap(spots),
    renewed: "inference",
  });
}

/** A concept in every set in which it was inferred what it rests on. */
export function spots(concept: Concept): ConceptPart[] {
  return concept.known.filter((part) => part.inferred).map((part) => ({ concept, part }));
}

/** What the kernel is doing. */
export function inferring({ kernel }: Session): string | null {
  if (kernel.busy.length === 0) return null;
  return kernel.busy.includes("explain") ? "Inferring concepts" : "Checking against ablation";
}
