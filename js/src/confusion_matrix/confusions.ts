// What the view is told of confusions, how pairs are ordered, and what is said of one.
import type { Files } from "../lib/pixels.ts";
import { counted, number, percent } from "../lib/words.ts";

export type Order = "count" | "share";

export interface ConfusionPayload {
  classes: string[];
  labelled: number[];
  right: number[];
  /** Places among the classes: the label, and what was named instead. */
  pairs: [label: number, named: number][];
  counts: number[];
  all: [pairs: number, mistakes: number];
  images: number;
  pictured: number[];
  places: number[];
  pictures: Files;
  layer: string | null;
  compared: number;
  shared: [pair: number, channel: number, label: number, named: number][];
  portraits: [channel: number, images: number][];
  faces: Files;
  model: string;
  notes: string[];
}

export function namesOf({ classes, pairs }: ConfusionPayload, pair: number): [string, string] {
  const [label, named] = pairs[pair] as [number, number];
  return [classes[label] as string, classes[named] as string];
}

export function ofLabel({ labelled, pairs }: ConfusionPayload, pair: number): number {
  return labelled[pairs[pair]?.[0] as number] as number;
}

export function shareOf(payload: ConfusionPayload, pair: number): number {
  return (payload.counts[pair] as number) / ofLabel(payload, pair);
}

/** The pairs by count, as they come, or by their share of the images that are labelled so. */
export function ordered(payload: ConfusionPayload, order: Order): number[] {
  const pairs = payload.counts.map((_, pair) => pair);
  return order === "count"
    ? pairs
    : pairs.sort((a, b) => shareOf(payload, b) - shareOf(payload, a) || a - b);
}

const MOST_CLASSES = 14;

/** The classes of the matrix: those of the first pairs, as long as they have room, in their order. */
export function matrixClasses({ pairs }: ConfusionPayload, most = MOST_CLASSES): number[] {
  const chosen = new Set<number>();
  for (const pair of pairs) {
    const more = pair.filter((one) => !chosen.has(one));
    if (chosen.size + more.length <= most) for (const one of more) chosen.add(one);
  }
  return [...chosen].sort((a, b) => a - b);
}

/** The pairs by label and name, both as places among the classes. */
export function pairAt({ pairs }: ConfusionPayload): Map<string, number> {
  return new Map(pairs.map(([label, named], i) => [`${label} ${named}`, i]));
}

export function headWords({ images, all: [, mistakes] }: ConfusionPayload): string {
  if (mistakes === 0) return `none of ${counted(images, "image")} is named otherwise than labelled`;
  return `${mistakes} of ${counted(images, "image")} (${percent(mistakes / images)}) named otherwise`;
}

export function countWords(payload: ConfusionPayload, pair: number): string {
  const count = payload.counts[pair] as number;
  return `${count} of ${ofLabel(payload, pair)} (${percent(shareOf(payload, pair))})`;
}

export function pairWords(payload: ConfusionPayload, pair: number): string {
  const [label, named] = namesOf(payload, pair);
  return `${label}, named ${named}: ${countWords(payload, pair)}`;
}

/** A pair in a whole sentence. */
export function sentence(payload: ConfusionPayload, pair: number): string {
  const [label, named] = namesOf(payload, pair);
  const count = payload.counts[pair] as number;
  const are = count === 1 ? "is" : "are";
  const of = counted(ofLabel(payload, pair), "image");
  return `Of ${of} labelled ${label}, ${count} ${are} named ${named}.`;
}

/** What there is to say of channels where none are shown. */
export function noChannels(payload: ConfusionPayload, pair: number): string {
  if (payload.layer === null)
    return "Give chip= (a Chip fitted on this network) to see the channels that both classes rest on.";
  if (pair >= payload.compared)
    return `Channels were compared for the ${payload.compared} most frequent pairs.`;
  return `No channel of ${payload.layer} speaks for both classes.`;
}

export function channelsOf({ shared }: ConfusionPayload, pair: number) {
  return shared.filter(([of]) => of === pair);
}

export function channelWords(
  payload: ConfusionPayload,
  [pair, channel, label, named]: ConfusionPayload["shared"][number],
): string {
  const [one, other] = namesOf(payload, pair);
  return `Channel ${channel}: ${number(label)} for ${one}, ${number(named)} for ${other}`;
}

/** Where each channel's images are among the faces. */
export function facesOf({
  portraits,
}: ConfusionPayload): Map<number, [start: number, end: number]> {
  let start = 0;
  return new Map(
    portraits.map(([channel, count]) => {
      start += count;
      return [channel, [start - count, start]];
    }),
  );
}

/** What to run to see why an image is named otherwise. */
export function question(payload: ConfusionPayload, pair: number, place: number): string {
  const [label] = namesOf(payload, pair);
  return `hx.FailureAnalysis(clf, data[${place}][0], true=${JSON.stringify(label)})`;
}
