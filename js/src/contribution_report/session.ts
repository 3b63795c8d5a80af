// Contributions as they are shown: the kind of chart, what is folded, and the concept looked at.
import type { AnyModel } from "@anywidget/types";
import { pale } from "../lib/heat.ts";
import { bitmapsOf, type Files, type Grid, type MapColumns } from "../lib/pixels.ts";
import { ViewSession, type ViewState } from "../lib/session.ts";
import { attentionOf, type Card, mapsOf, type Report, strongestOf } from "./payload.ts";
import { type Domain, domainOf, type Step, steps } from "./waterfall.ts";

export type ChartKind = "waterfall" | "bars" | "pie";

export interface Saved {
  chart?: ChartKind;
  all?: boolean;
  compare?: boolean;
  table?: boolean;
  attention?: boolean;
}

export interface State extends ViewState {
  report: Report;
  pictures: Files;
  maps: MapColumns;
  attention: MapColumns;
  concept: string | null;
  view: Saved;
  bars: string[];
  pies: string[];
  spreads: string[];
}

export type Change = "report" | "look" | "view" | "pixels" | "busy";

/** A row of every chart: a concept by its place, the folded ones, the bias, the rest, the score. */
export type Spot = string;

export interface Picture {
  readonly image: ImageBitmap;
  readonly pale: HTMLCanvasElement;
}

const SAVED =
  "This report was opened from saved evidence; another image takes the fitted explainer; " +
  "run ContributionReport(explainer, images) in a notebook to have it live.";

export const spotOf = ({ kind, place }: Pick<Step, "kind" | "place">): Spot =>
  kind === "concept" ? `concept ${place}` : kind;

export class Session extends ViewSession<State, Change> {
  pictures: Picture[] = [];
  hovered: Spot | null = null;
  domain: Domain = [0, 1];
  mostAttention = 1;
  private grids: Grid[][] = [];
  private attentions: (Grid | null)[] = [];
  private reading = 0;

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.read();
    this.follow("report", () => this.later());
    for (const name of ["pictures", "maps", "attention"]) this.follow(name, () => this.later());
    this.follow("concept", () => this.tell("look"));
    this.follow("view", () => this.tell("view"));
  }

  get report(): Report {
    return this.model.get("report");
  }

  get cards(): Card[] {
    return this.report.images;
  }

  get chart(): ChartKind {
    return this.saved.chart ?? "waterfall";
  }

  get folds(): boolean {
    return this.report.shown < this.report.names.length;
  }

  /** How many concepts stand alone now. */
  get shown(): number {
    return this.saved.all && this.chart !== "pie" ? this.report.names.length : this.report.shown;
  }

  get compared(): boolean {
    return this.cards.some(({ baseline }) => baseline);
  }

  /** What is looked at: under the pointer or in focus, else chosen; one of the rows, or null. */
  get current(): Spot | null {
    return this.hovered ?? this.chosen;
  }

  /** The row of the chosen concept, that of the folded ones where it is among them. */
  get chosen(): Spot | null {
    const place = this.report.names.indexOf(this.model.get("concept") ?? "");
    if (place < 0) return null;
    return place < this.shown ? `concept ${place}` : "others";
  }

  steps(card: Card): Step[] {
    return steps(card, this.shown);
  }

  nameOf(spot: Spot): string {
    const place = placeIn(spot);
    const { names, shown } = this.report;
    if (place !== null) return names[place] ?? "";
    return spot === "others" ? `${names.length - shown} others` : spot;
  }

  amount(card: Card, spot: Spot): number {
    const place = placeIn(spot);
    if (place !== null) return card.values[place] ?? 0;
    return card[spot as "bias" | "others" | "unexplained" | "score"] ?? 0;
  }

  /** Where in an image a row's contribution arises; null for what belongs to no place. */
  map(image: number, spot: Spot | null): Grid | null {
    if (spot === null) return null;
    const place = spot === "others" ? this.report.names.length : placeIn(spot);
    return place === null ? null : (this.grids[image]?.[place] ?? null);
  }

  /** The strongest value of a row's maps in all images: one scale for them. */
  strongest(spot: Spot): number {
    return strongestOf(this.cards.map((_, i) => this.map(i, spot)));
  }

  /** Grad-CAM of an image's score; null where it points at no place. */
  attention(image: number): Grid | null {
    return this.attentions[image] ?? null;
  }

  turnAttention(): void {
    this.arrange({ attention: !this.saved.attention });
  }

  hover(spot: Spot | null): void {
    if (spot === this.hovered) return;
    this.hovered = spot;
    this.tell("look");
  }

  /** Choose a row's concept, or let go of it; the folded ones unfold. */
  choose(spot: Spot): void {
    if (spot === "others") {
      if (this.chart !== "pie") this.arrange({ all: true });
      return;
    }
    const place = placeIn(spot);
    const name = place === null ? null : (this.report.names[place] ?? null);
    this.pin(name === this.model.get("concept") ? null : name);
  }

  clear(): void {
    this.pin(null);
  }

  async load(): Promise<void> {
    const reading = ++this.reading;
    try {
      const images = await bitmapsOf(this.model.get("pictures"));
      if (reading !== this.reading) return;
      this.pictures = images.map((image) => ({ image, pale: pale(image) }));
    } catch (error) {
      this.complain(error);
    }
    this.tell("pixels");
  }

  private pin(name: string | null): void {
    if (name === this.model.get("concept")) return;
    this.model.set("concept", name);
    this.model.save_changes();
  }

  // report, maps and figures come in one message, each with a word of its own
  private later(): void {
    const reading = ++this.reading;
    queueMicrotask(() => {
      if (reading !== this.reading) return;
      this.guard(() => {
        this.read();
        this.tell("report");
      });
      void this.load();
    });
  }

  private read(): void {
    const { report } = this;
    const both = [report.shown, report.names.length];
    this.domain = domainOf(both.flatMap((n) => report.images.map((card) => steps(card, n))));
    this.grids = mapsOf(this.model.get("maps"), report.names.length);
    this.attentions = attentionOf(this.model.get("attention") ?? {});
    this.mostAttention = strongestOf(this.attentions);
    this.hovered = null;
  }
}

export function placeIn(spot: Spot): number | null {
  return spot.startsWith("concept ") ? Number(spot.slice(8)) : null;
}
