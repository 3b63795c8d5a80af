// Concepts, neurons and links as they are shown: what is chosen, folded away, above the threshold.
import type { AnyModel } from "@anywidget/types";
import type { Layer } from "../lib/evidence.ts";
import { bytesOf, type Files, floatsOf, type Grid } from "../lib/pixels.ts";
import { ChannelSession, type ChannelState } from "../lib/session.ts";
import {
  above,
  branches,
  type ConceptNode,
  conceptTree,
  countsBelow,
  seen,
  standIns,
} from "./hierarchy.ts";
import {
  type GraphPayload,
  type MapsPayload,
  mapsOf,
  type PortraitsPayload,
  type Region,
  regionsOf,
} from "./payload.ts";
import { arranged, gathered, type Link, type RibbonLayout, strongest } from "./ribbons.ts";

export interface Saved {
  table?: boolean;
}

export interface State extends ChannelState {
  graph: GraphPayload;
  portraits: PortraitsPayload;
  pictures: Files;
  maps: MapsPayload;
  estimators: [name: string, words: string][];
  chart: string;
  concept: string | null;
  folded: string[];
  threshold: number;
  top: number;
  view: Saved;
}

export type Change = "graph" | "shape" | "choice" | "hover" | "pictures" | "table" | "busy";

/** A concept or a neuron, by its place in the payload. */
export interface Spot {
  readonly kind: "concept" | "neuron";
  readonly i: number;
}

const SAVED =
  "This view was opened from saved evidence; asking for more takes the fitted Hint; " +
  "run NeuronConceptGraph(hint) in a notebook to have it live.";

export class Session extends ChannelSession<State, Change> {
  tree: ConceptNode[] = [];
  branch: number[] = [];
  below: number[] = [];
  standIn: number[] = [];
  links: Link[] = [];
  shape: RibbonLayout = { rows: [], neurons: [], ribbons: [], height: 0 };
  hovered: Spot | null = null;
  /** Concepts whose maps did not come, and neurons whose regions did not. */
  readonly stalled = new Set<string>();
  private scores: Float32Array = new Float32Array(0);
  private errors: Float32Array = new Float32Array(0);
  private largest = 0;
  private drawn = "";

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.read();
    this.follow("graph", () => {
      this.read();
      this.tell("graph");
    });
    for (const name of ["folded", "threshold", "top"])
      this.follow(name, () => {
        this.arrangeLinks();
        this.tell("shape");
      });
    for (const name of ["concept", "channel"])
      this.follow(name, () => {
        this.arrangeLinks();
        this.tell("choice");
      });
    for (const name of ["portraits", "maps", "pictures"])
      this.follow(name, () => this.tell("pictures"));
    this.follow("view", () => this.tell("table"));
  }

  get graph(): GraphPayload {
    return this.model.get("graph");
  }

  override get layers(): Layer[] {
    return this.graph.layers;
  }

  get threshold(): number {
    return this.model.get("threshold");
  }

  get top(): number {
    return Math.min(this.model.get("top"), this.graph.most);
  }

  get folded(): ReadonlySet<number> {
    const { concepts } = this.graph;
    return new Set(this.model.get("folded").map((name) => concepts.indexOf(name)));
  }

  /** The chosen concept's place, or -1. */
  get concept(): number {
    return this.graph.concepts.indexOf(this.model.get("concept") ?? "");
  }

  /** The chosen neuron's place, or -1. */
  get neuron(): number {
    return this.channel === null ? -1 : this.graph.neurons.indexOf(this.channel);
  }

  /** The score at the threshold, in units of the estimator. */
  get least(): number {
    return this.threshold * this.largest;
  }

  usable(concept: number): boolean {
    return !this.graph.flags[concept];
  }

  score(concept: number, neuron: number): number {
    return this.scores[neuron * this.graph.concepts.length + concept] ?? 0;
  }

  error(concept: number, neuron: number): number | null {
    return this.errors[neuron * this.graph.concepts.length + concept] ?? null;
  }

  /** A concept's neurons, strongest first. */
  neuronsOf(concept: number): Link[] {
    return this.ranked([concept], this.top, 0);
  }

  /** The concepts with a classifier that a neuron serves, by its score. */
  conceptsOf(neuron: number): Link[] {
    const usable = this.places().filter((i) => this.usable(i));
    const all = usable.map((concept) => ({ concept, neuron, score: this.score(concept, neuron) }));
    return all.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
  }

  regions(number: number): Region[] | null {
    return regionsOf(this.model.get("portraits"), number);
  }

  maps(concept: number): Map<number, Grid> {
    return mapsOf(this.model.get("maps"), this.graph.concepts[concept] as string);
  }

  chooseConcept(i: number): void {
    const next = i < 0 || i === this.concept ? null : (this.graph.concepts[i] as string);
    this.model.set("concept", next);
    this.model.save_changes();
  }

  chooseNeuron(i: number): void {
    const number = this.graph.neurons[i];
    this.choose(number === undefined || number === this.channel ? null : number);
  }

  clear(): void {
    if (this.model.get("concept") !== null) this.model.set("concept", null);
    if (this.channel !== null) this.model.set("channel", null);
    this.model.save_changes();
  }

  fold(i: number, away: boolean): void {
    if ((this.tree[i]?.children.length ?? 0) === 0) return;
    const next = new Set(this.folded);
    if (away) next.add(i);
    else next.delete(i);
    this.foldOnly(next);
  }

  /** Fold all that has concepts below it, but the first level; or nothing. */
  foldAll(away: boolean): void {
    const inner = this.tree.flatMap(({ children, depth }, i) =>
      children.length > 0 && depth > 0 ? [i] : [],
    );
    this.foldOnly(new Set(away ? inner : []));
  }

  /** Unfold what hides a concept. */
  reveal(i: number): void {
    const next = new Set(this.folded);
    const before = next.size;
    for (const one of above(this.tree, i)) next.delete(one);
    if (next.size < before) this.foldOnly(next);
  }

  set(name: "threshold" | "top", value: number): void {
    this.model.set(name, value);
    this.model.save_changes();
  }

  hover(spot: Spot | null): void {
    if (spot?.kind === this.hovered?.kind && spot?.i === this.hovered?.i) return;
    this.hovered = spot;
    this.tell("hover");
  }

  /** Turn to another layer or estimator; what is still being worked on is given up. */
  turn(kind: "layer" | "estimator", name: string): void {
    this.kernel.cancel();
    void this.ask(kind, { [kind]: name });
  }

  /** Have the maps of a concept on the chosen images. */
  async fetchMaps(concept: number): Promise<void> {
    const wanted = this.model.get("pictures").places?.length ?? 0;
    const name = this.graph.concepts[concept] as string;
    await this.fetch(`${this.graph.layer} ${name}`, this.maps(concept).size < wanted, "maps", {
      concept: name,
    });
  }

  /** Have the regions in which a neuron is strongest. */
  async fetchRegions(number: number): Promise<void> {
    const key = `${this.graph.layer} #${number}`;
    await this.fetch(key, !this.regions(number), "portraits", { neurons: [number] });
  }

  private async fetch(key: string, missing: boolean, kind: string, fields: object): Promise<void> {
    if (!missing || !this.live || this.stalled.has(key)) return;
    this.stalled.add(key);
    const answer = await this.fetchFrom(kind, { ...fields });
    if (answer) this.stalled.delete(key);
    this.tell("pictures");
  }

  private places(): number[] {
    return this.graph.concepts.map((_, i) => i);
  }

  private ranked(concepts: number[], top: number, least: number): Link[] {
    const extent = { neurons: this.graph.neurons.length, concepts: this.graph.concepts.length };
    return strongest(this.scores, concepts, extent, top, least);
  }

  private foldOnly(next: ReadonlySet<number>): void {
    const { concepts } = this.graph;
    this.model.set(
      "folded",
      [...next].filter((i) => i >= 0).map((i) => concepts[i] as string),
    );
    this.model.save_changes();
  }

  private read(): void {
    const { parents, scores, errors } = this.graph;
    this.tree = conceptTree(parents);
    this.branch = branches(this.tree);
    this.below = countsBelow(this.tree);
    this.scores = floatsOf(scores);
    this.errors = bytesOf(errors).length > 0 ? floatsOf(errors) : new Float32Array(0);
    const all = this.ranked(
      this.places().filter((i) => this.usable(i)),
      1,
      0,
    );
    this.largest = Math.max(0, ...all.map(({ score }) => score));
    this.hovered = null;
    this.drawn = "";
    this.arrangeLinks();
  }

  private arrangeLinks(): void {
    const { folded, threshold, top, neuron } = this;
    const wanted = JSON.stringify([[...folded], threshold, top, neuron]);
    if (wanted === this.drawn) return;
    this.drawn = wanted;
    this.standIn = standIns(this.tree, folded);
    const usable = this.places().filter((i) => this.usable(i));
    this.links = this.ranked(usable, top, this.least);
    const extra = neuron >= 0 ? [neuron] : [];
    this.shape = arranged(seen(this.tree, folded), gathered(this.links, this.standIn), extra);
  }
}
