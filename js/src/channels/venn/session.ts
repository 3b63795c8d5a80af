// The overlap as it comes from the kernel, the region that is looked at, and the portraits.
import type { AnyModel } from "@anywidget/types";
import {
  type Buffer,
  bytesOf,
  decodeMap,
  filesOf,
  type Grid,
  type Span,
} from "../../lib/pixels.ts";
import { listed } from "../../lib/words.ts";
import { CheckedSession, type CheckedState } from "../agreement.ts";
import type { Group } from "./upset.ts";

interface RegionPayload {
  classes: number[];
  channels: number[];
}

interface OverlapPayload {
  classes: string[];
  channels: number[][];
  weights: number[][];
  regions: RegionPayload[];
  similarity: number[][];
  layer: string;
  top: number | null;
  threshold: number | null;
  notes: string[];
}

interface Placed {
  images: Span[];
  values: number[];
  ranking?: string;
  map: { start: number; extent: [number, number]; zero: number; step: number } | null;
}

interface PortraitsPayload {
  layer?: string;
  places?: Record<string, Placed>;
  data?: Buffer;
}

export interface Saved {
  region?: string;
  shape?: "venn" | "upset";
  sort?: "size" | "classes";
}

export interface State extends CheckedState {
  overlap: OverlapPayload;
  portraits: PortraitsPayload;
  image: Buffer;
  classes: string[];
  view: Saved;
}

export interface Region extends Group {
  readonly key: string;
  readonly channels: readonly number[];
  readonly name: string;
}

export interface Portrait {
  readonly images: readonly Uint8Array<ArrayBuffer>[];
  readonly values: readonly number[];
  readonly ranking: string;
  readonly map: Grid | null;
}

export type Change = "overlap" | "region" | "channel" | "portraits" | "checks" | "busy";

const SAVED =
  "This view was opened from saved evidence; asking for more takes the fitted Chip; " +
  "run ChannelVenn(chip, classes) in a notebook to have it live.";
export const MOST_CIRCLES = 3;
const BATCH = 4;

export class Session extends CheckedSession<State, Change> {
  regions: readonly Region[] = [];
  hovered: Region | null = null;
  /** Whether the last portraits asked for did not come. */
  stalled = false;
  /** Whether portraits are on their way. */
  fetching = false;

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.read();
    this.follow("overlap", () => {
      this.read();
      this.tell("overlap");
    });
    this.follow("portraits", () => this.tell("portraits"));
    this.follow("channel", () => this.tell("channel"));
    this.follow("view", () => this.tell("region"));
    this.follow("checks", () => this.tell("checks"));
  }

  get shown(): OverlapPayload {
    return this.overlap;
  }

  get overlap(): OverlapPayload {
    return this.model.get("overlap");
  }

  /** Circles where they can be, unless the person wants columns. */
  get shape(): "venn" | "upset" {
    const few = this.overlap.classes.length <= MOST_CIRCLES;
    return few ? (this.saved.shape ?? "venn") : "upset";
  }

  /** The region whose channels are listed: the chosen one, else the one most classes share. */
  get region(): Region | null {
    return (
      this.regions.find((one) => this.lasting(one) === this.saved.region) ?? this.regions[0] ?? null
    );
  }

  /** The region of the chosen channel. */
  get marked(): Region | null {
    const { channel } = this;
    return this.regions.find((one) => channel !== null && one.channels.includes(channel)) ?? null;
  }

  /** The channels of all regions, by number. */
  get listed(): number[] {
    return this.regions.flatMap(({ channels }) => channels).sort((a, b) => a - b);
  }

  /** Look at a channel: its region, and in it the channel. */
  seek(channel: number): void {
    const region = this.regions.find(({ channels }) => channels.includes(channel));
    if (region) this.look(region);
    this.choose(channel);
  }

  look(region: Region): void {
    this.arrange({ region: this.lasting(region) });
  }

  hover(region: Region | null): void {
    if (region === this.hovered) return;
    this.hovered = region;
    this.tell("channel");
  }

  sizeOf(i: number): number {
    return this.overlap.channels[i]?.length ?? 0;
  }

  weight(i: number, channel: number): number {
    const place = this.overlap.channels[i]?.indexOf(channel) ?? -1;
    return this.overlap.weights[i]?.[place] ?? 0;
  }

  portrait(channel: number): Portrait | null {
    const { layer, places, data } = this.model.get("portraits");
    const placed = layer === this.overlap.layer ? places?.[String(channel)] : undefined;
    if (!placed) return null;
    const bytes = bytesOf(data);
    const { map } = placed;
    return {
      images: filesOf({ places: placed.images, data }),
      values: placed.values,
      ranking: placed.ranking ?? "",
      map: map && decodeMap(bytes, map.start, map.extent, map.zero, map.step),
    };
  }

  /** Ask for another overlap; what is still being worked on is given up. */
  async change(next: { classes?: number[]; limit?: object; layer?: string }): Promise<void> {
    const { overlap } = this;
    const names = this.model.get("classes");
    const limit =
      overlap.threshold === null ? { top: overlap.top } : { threshold: overlap.threshold };
    this.kernel.cancel();
    const answer = await this.ask("overlap", {
      classes: next.classes ?? overlap.classes.map((name) => names.indexOf(name)),
      layer: next.layer ?? overlap.layer,
      ...(next.limit ?? limit),
    });
    // what was given up for this question is wanted again
    if (!answer) this.tell("region");
  }

  /** Have portraits of these channels, a few at a time, as long as `wanted` says so. */
  async fetch(channels: () => readonly number[]): Promise<void> {
    if (!this.live || this.fetching) return;
    this.fetching = true;
    this.stalled = false;
    const asked = new Set<number>();
    const missing = () =>
      channels()
        .filter((channel) => !this.portrait(channel) && !asked.has(channel))
        .slice(0, BATCH);
    for (let batch = missing(); batch.length > 0; batch = missing()) {
      for (const channel of batch) asked.add(channel);
      const { layer } = this.overlap;
      const answer = await this.fetchFrom("portraits", { channels: batch });
      this.stalled = !answer && layer === this.overlap.layer;
      if (this.stalled) break;
    }
    this.fetching = false;
    // what has waited for them goes on
    this.tell("portraits");
  }

  // survives other classes and another order
  private lasting(region: Region): string {
    const names = this.model.get("classes");
    return region.classes
      .map((i) => names.indexOf(this.overlap.classes[i] as string))
      .sort((a, b) => a - b)
      .join(".");
  }

  private read(): void {
    const { classes, regions } = this.overlap;
    this.hovered = null;
    this.regions = regions.map((one) => ({
      key: one.classes.join("."),
      classes: one.classes,
      channels: one.channels,
      size: one.channels.length,
      name: regionName(one.classes, classes),
    }));
  }
}

/** What a region is called: by the classes that share it. */
export function regionName(members: readonly number[], classes: readonly string[]): string {
  const names = members.map((i) => classes[i] as string);
  if (classes.length === 1) return names[0] as string;
  if (names.length === 1) return `Only ${names[0]}`;
  if (names.length === classes.length)
    return classes.length === 2 ? "Both" : `All ${classes.length}`;
  return listed(names);
}
