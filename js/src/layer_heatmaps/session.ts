// What the parts of one view share: the maps, how a person arranged them, the kernel, what is looked
// at, and its check against ablation where it is a sum over channels.

import type { AnyModel } from "@anywidget/types";
import { type Checkable, Checks } from "../lib/checks.ts";
import type { Fields } from "../lib/kernel.ts";
import type { Buffer } from "../lib/pixels.ts";
import { Arrangement, ViewSession, type ViewState } from "../lib/session.ts";
import { weakly } from "../lib/trust.ts";
import { peaks, type Scale, type Shape, shapeOf, strongest } from "./heat_grid.ts";
import { Painter } from "./painter.ts";
import { type HeatCell, type Key, Sheet, type SheetPayload, spotOf } from "./sheet.ts";

export type Selected = [target: Key, layer: string];

export interface Saved {
  method?: string;
  classes?: Key[];
  scale?: Scale;
  opacity?: number;
  boxes?: boolean;
  plain?: boolean;
  signed?: boolean;
  selected?: Selected | null;
  pinned?: boolean;
}

class MapArrangement extends Arrangement<Saved> {
  get method(): string {
    return this.saved.method ?? "";
  }

  get classes(): readonly Key[] {
    return this.saved.classes ?? [];
  }

  get scale(): Scale {
    return this.saved.scale ?? "map";
  }

  get opacity(): number {
    return this.saved.opacity ?? 0.9;
  }

  get boxes(): boolean {
    return this.saved.boxes ?? false;
  }

  get plain(): boolean {
    return this.saved.plain ?? false;
  }

  get signed(): boolean {
    return this.saved.signed ?? false;
  }

  get selected(): Selected | null {
    return this.saved.selected ?? null;
  }

  get pinned(): boolean {
    return (this.saved.pinned ?? false) && this.selected !== null;
  }

  add(target: Key): void {
    if (!this.classes.includes(target)) this.change({ classes: [...this.classes, target] });
  }

  remove(target: Key): void {
    const selected = this.selected?.[0] === target ? null : this.selected;
    this.change({ classes: this.classes.filter((one) => one !== target), selected });
  }
}

export interface State extends ViewState {
  sheet: SheetPayload;
  image: Buffer;
  classes: string[];
  view: Saved;
}

const SAVED =
  "This view was opened from saved evidence; asking for more takes the model; " +
  "run LayerHeatmaps(chip, image) in a notebook to have it live.";
const QUIET = 180; // milliseconds without a move of the slider before the kernel is asked

/** What has changed: the parts redraw what depends on it. */
export type Change = "sheet" | "arrangement" | "look" | "pixels" | "sparsity" | "checks" | "busy";

export class Session extends ViewSession<State, Change> {
  sheet: Sheet;
  hovered: Selected | null = null;
  /** The sparsity that was asked for and is not there yet. */
  coming: number | null = null;
  readonly arrangement: MapArrangement;
  readonly painter = new Painter();
  private readonly asked = new Set<string>();
  private seen = false;
  private filling = false;
  private gaveUp: string | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.sheet = this.read();
    this.arrangement = new MapArrangement(model as unknown as AnyModel<{ view: Saved }>);
    this.follow("sheet", () => this.readSheet());
    this.follow("checks", () => this.tell("checks"));
    this.follow("view", () => {
      this.tell("arrangement");
      void this.fetch();
    });
  }

  get columns(): string[] {
    return this.sheet.columns(this.arrangement.method, this.live);
  }

  /** The maps of the method that there are or can be had: contested, plain, or both. */
  get kinds(): readonly boolean[] {
    return this.sheet.kinds(this.arrangement.method);
  }

  /** Whether maps hold each place against other classes: as chosen, where both can be had. */
  get contested(): boolean {
    const { kinds } = this;
    const wanted = !this.arrangement.plain;
    return kinds.includes(wanted) ? wanted : (kinds[0] ?? false);
  }

  get shape(): Shape {
    return shapeOf(this.arrangement.classes.length, this.columns.length);
  }

  /** What is looked at: what is pinned, else under the pointer, else selected, else the first. */
  get current(): Selected | null {
    const { selected, pinned } = this.arrangement;
    const wanted = [pinned ? selected : null, this.hovered, selected];
    return wanted.find((one) => one && this.stands(one)) ?? this.first;
  }

  /** Whether what is looked at is pinned; what another method has no place for is not. */
  get pinned(): boolean {
    const { selected, pinned } = this.arrangement;
    return pinned && selected !== null && this.stands(selected);
  }

  private get first(): Selected | null {
    const [target, layer] = [this.arrangement.classes[0], this.columns[0]];
    return target === undefined || layer === undefined ? null : [target, layer];
  }

  private stands([target, layer]: Selected): boolean {
    return this.arrangement.classes.includes(target) && this.columns.includes(layer);
  }

  cell([target, layer]: Selected): HeatCell | null {
    return this.sheet.cell(this.arrangement.method, target, layer, this.contested);
  }

  error([target, layer]: Selected): string | null {
    return this.sheet.error(this.arrangement.method, target, layer, this.contested);
  }

  /** Every map that is on the screen. */
  get shown(): HeatCell[] {
    const places = this.arrangement.classes.flatMap((target) =>
      this.columns.map((layer) => this.cell([target, layer])),
    );
    return places.filter((cell): cell is HeatCell => cell !== null);
  }

  strongest(cell: HeatCell): number {
    const { scale, signed } = this.arrangement;
    return strongest(cell, this.shown, scale, signed);
  }

  /** How weak a map is that is drawn on its own scale, beside those of its layer. */
  weakness(cell: HeatCell): string {
    const { scale, signed } = this.arrangement;
    if (scale !== "map" || cell.picture) return "";
    const drawn = this.shown.filter((one) => !one.picture);
    return weakly(this.words, peaks(cell, [cell], signed)[0], peaks(cell, drawn, signed));
  }

  hover(place: Selected | null): void {
    if (JSON.stringify(place) === JSON.stringify(this.hovered)) return;
    this.hovered = place;
    this.tell("look");
  }

  /** Look at a place; what is pinned stays. */
  select(place: Selected): void {
    const same = JSON.stringify(place) === JSON.stringify(this.arrangement.selected);
    if (!this.arrangement.pinned && !same) this.arrangement.change({ selected: place });
  }

  /** Pin a place, or let go of the one that is pinned. */
  pin(place: Selected): void {
    const { pinned, selected } = this.arrangement;
    const same = pinned && JSON.stringify(place) === JSON.stringify(selected);
    this.arrangement.change({ selected: place, pinned: !same });
  }

  show(method: string): void {
    if (method === this.arrangement.method) return;
    this.kernel.cancel("maps");
    this.arrangement.change({ method });
  }

  /** Take a class of the list, or what was typed: the kernel names the nearest. */
  async choose(target: number | string): Promise<void> {
    if (typeof target === "number") return this.arrangement.add(target);
    const answer = await this.ask("choose", { target });
    if (answer) this.arrangement.add(answer.key as Key);
  }

  /** Refit once the slider rests; until the new maps are there the old ones stay. */
  refit(sparsity: number): void {
    this.coming = sparsity;
    this.tell("sparsity");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.refitNow(sparsity), QUIET);
  }

  private async refitNow(sparsity: number): Promise<void> {
    this.kernel.cancel();
    await this.ask("refit", { ...this.wanted(this.arrangement.classes), sparsity });
    if (this.coming === sparsity) this.coming = null;
    this.tell("sparsity");
    void this.fetch();
  }

  /** Give up what the kernel is doing for this view. */
  cancel(): void {
    clearTimeout(this.timer);
    this.coming = null;
    this.kernel.stop();
    this.tell("sparsity");
  }

  /** From now on have every map that is on the screen. */
  wantMaps(): void {
    this.seen = true;
    void this.fetch();
  }

  /** Fetch what is missing, class by class, as long as nothing else is asked. */
  async fetch(): Promise<void> {
    if (!this.live || !this.seen || this.filling || this.coming !== null) return;
    this.filling = true;
    for (let target = this.missing(); target !== undefined; target = this.missing()) {
      const [situation, question] = [this.situation, this.question(target)];
      this.asked.add(question);
      this.tell("look");
      if (await this.fetchFrom("maps", this.wanted([target]))) continue;
      this.asked.delete(question);
      this.gaveUp = situation;
      break;
    }
    this.filling = false;
    this.tell("busy");
    if (this.gaveUp !== null && this.missing() !== undefined) void this.fetch();
  }

  /** Ask again for what was given up. */
  retry(): void {
    this.gaveUp = null;
    void this.fetch();
  }

  /** Whether a map is on its way. */
  awaits([target]: Selected): boolean {
    return (
      this.filling && this.gaveUp !== this.situation && this.arrangement.classes.includes(target)
    );
  }

  private wanted(classes: readonly Key[]): Fields {
    const { method, boxes } = this.arrangement;
    return { method, boxes, plain: !this.contested, classes: [...classes] };
  }

  private missing(): Key | undefined {
    if (this.gaveUp === this.situation) return undefined;
    return this.arrangement.classes.find(
      (target) =>
        !this.asked.has(this.question(target)) &&
        this.columns.some((layer) => this.lacks([target, layer])),
    );
  }

  private lacks(place: Selected): boolean {
    const cell = this.cell(place);
    if (!cell) return this.error(place) === null;
    return this.arrangement.boxes && !cell.boxed;
  }

  private question(target: Key): string {
    const { method, boxes } = this.arrangement;
    return spotOf(method, target, boxes ? "boxes" : "", this.contested);
  }

  /** What is asked in: a question that failed is not asked again until this has changed. */
  private get situation(): string {
    const { method, boxes, classes } = this.arrangement;
    return JSON.stringify([method, boxes, classes, this.contested]);
  }

  async load(): Promise<void> {
    await this.painter.load(this.model.get("image"));
    await this.readPictures();
  }

  override close(): void {
    clearTimeout(this.timer);
    super.close();
  }

  private read(): Sheet {
    return new Sheet(this.model.get("sheet"), this.model.get("classes"));
  }

  private readSheet(): void {
    const before = this.sheet.payload.sparsity;
    this.sheet = this.read();
    if (this.sheet.payload.sparsity !== before) {
      this.asked.clear();
      this.gaveUp = null;
    }
    this.tell("sheet");
    void this.readPictures();
  }

  private async readPictures(): Promise<void> {
    await this.tellAfter(this.painter.loadPictures(this.sheet), "pixels");
  }
}

const SUMMED = ["CHIP", "Grad-CAM"];

export type MapChecks = Checks<Selected>;

/** The check of the map looked at, where that is a sum over channels. */
export function mapChecks(session: Session): MapChecks {
  return new Checks(session, {
    spot: (place) => spot(session, place),
    wanted: () => (session.hovered === null && session.current ? [session.current] : []),
    renewed: "sheet",
  });
}

/** What a map is to the kernel; null where it is no sum or is not there. */
function spot(session: Session, place: Selected): Checkable | null {
  const { method } = session.arrangement;
  const [target, layer] = place;
  if (!SUMMED.includes(method) || !session.cell(place) || typeof target !== "number") return null;
  const { contested } = session;
  const key = spotOf(method, target, layer, contested);
  return { key, fields: { method, target, layer, plain: !contested } };
}
