// Two columns joined by ribbons: concepts in the order of their tree, neurons near their concepts.

export interface Link {
  readonly concept: number;
  readonly neuron: number;
  readonly score: number;
}

/** All links between one row and one neuron: of the row's own concept and of those folded in it. */
export interface Bundle {
  readonly row: number;
  readonly neuron: number;
  /** The largest of its scores. */
  readonly score: number;
  readonly links: readonly Link[];
  /** Whether the row's own concept is among them. */
  readonly own: boolean;
}

export interface Slab {
  /** Number of the concept or neuron. */
  readonly of: number;
  readonly y: number;
  readonly height: number;
}

interface Ribbon {
  readonly bundle: Bundle;
  readonly from: number;
  readonly to: number;
  readonly width: number;
}

export interface RibbonLayout {
  readonly rows: readonly Slab[];
  readonly neurons: readonly Slab[];
  readonly ribbons: readonly Ribbon[];
  readonly height: number;
}

export const RIBBONS = {
  room: { rows: 600, neurons: 900 },
  row: [23, 46],
  neuron: [15, 23],
  thickest: 56,
  tallest: 1000,
  thin: 1.2,
  edge: 8,
} as const;

/** The `top` strongest neurons of each concept, without those below `least`. */
export function strongest(
  scores: ArrayLike<number>,
  concepts: readonly number[],
  extent: { neurons: number; concepts: number },
  top: number,
  least: number,
): Link[] {
  return concepts.flatMap((concept) => {
    const all = Array.from({ length: extent.neurons }, (_, neuron) => ({
      concept,
      neuron,
      score: scores[neuron * extent.concepts + concept] as number,
    }));
    const ranked = all.sort((a, b) => b.score - a.score || a.neuron - b.neuron);
    return ranked.slice(0, top).filter(({ score }) => score > 0 && score >= least);
  });
}

/** Links that meet at one row and one neuron, as one; `standIns` say which row a concept has. */
export function gathered(links: readonly Link[], standIns: readonly number[]): Bundle[] {
  const met = new Map<string, Link[]>();
  for (const link of links) {
    const key = `${standIns[link.concept]} ${link.neuron}`;
    met.set(key, [...(met.get(key) ?? []), link]);
  }
  return [...met.values()].map((found) => {
    const ranked = [...found].sort((a, b) => b.score - a.score);
    const [{ concept, neuron, score }] = ranked as [Link];
    const row = standIns[concept] as number;
    return { row, neuron, score, links: ranked, own: found.some((one) => one.concept === row) };
  });
}

/** Neurons by the mean row of their links, weighed by score, so that few ribbons cross. */
export function byNearness(bundles: readonly Bundle[], rows: readonly number[]): number[] {
  const place = new Map(rows.map((concept, i) => [concept, i]));
  const sums = new Map<number, [weighed: number, weight: number]>();
  for (const { row, neuron, score } of bundles) {
    const [weighed, weight] = sums.get(neuron) ?? [0, 0];
    sums.set(neuron, [weighed + score * (place.get(row) ?? 0), weight + score]);
  }
  const mean = (neuron: number) => {
    const [weighed, weight] = sums.get(neuron) as [number, number];
    return weighed / weight;
  };
  return [...sums.keys()].sort((a, b) => mean(a) - mean(b) || a - b);
}

/** Places of rows, neurons and ribbons; `extra` are neurons that are shown without a link. */
export function arranged(
  rows: readonly number[],
  bundles: readonly Bundle[],
  extra: readonly number[] = [],
): RibbonLayout {
  const near = byNearness(bundles, rows);
  const order = [...near, ...extra.filter((one) => !near.includes(one))];
  const unit = step(RIBBONS.room.neurons, order.length, RIBBONS.neuron);
  // few rows beside many neurons are as far apart as these need, and their ribbons as wide
  const row = step(RIBBONS.room.rows, rows.length, RIBBONS.row);
  const pitch = Math.max(row, (unit * order.length) / Math.max(1, rows.length));
  const full = scaleOf(bundles, Math.min(RIBBONS.thickest, pitch - RIBBONS.edge));
  const wide = (scale: number) => (one: Bundle) => Math.max(RIBBONS.thin, one.score * scale);
  const heights = (end: "row" | "neuron", all: readonly number[], least: number, scale: number) => {
    const sums = totals(bundles, end, wide(scale));
    return all.map((one) => Math.max(least, (sums.get(one) ?? 0) + RIBBONS.edge));
  };
  // rows with much folded in them may not make the whole taller than a screen
  const tallest = sum(heights("row", rows, pitch, full));
  const scale = full * Math.min(1, RIBBONS.tallest / tallest);
  const width = wide(scale);
  const tall = heights("row", rows, pitch, scale);
  const deep = heights("neuron", order, unit, scale);
  const height = Math.max(sum(tall), sum(deep));
  const [left, right] = [spread(rows, tall, height), spread(order, deep, height)];
  return { rows: left, neurons: right, ribbons: ribbons(bundles, left, right, width), height };
}

/** A ribbon of one width from `(x0, y0)` to `(x1, y1)`, the middles of its ends. */
export function ribbonPath(x0: number, y0: number, x1: number, y1: number, width: number): string {
  const [half, middle] = [width / 2, (x0 + x1) / 2];
  const n = (value: number) => Math.round(value * 100) / 100;
  const [a, b, c, d] = [n(y0 - half), n(y1 - half), n(y1 + half), n(y0 + half)];
  return `M${x0},${a}C${middle},${a} ${middle},${b} ${x1},${b}V${c}C${middle},${c} ${middle},${d} ${x0},${d}Z`;
}

function step(room: number, count: number, [least, most]: readonly [number, number]): number {
  return Math.min(most, Math.max(least, room / Math.max(1, count)));
}

// the fullest row of one concept is filled; a row with others folded in it grows
function scaleOf(bundles: readonly Bundle[], room: number): number {
  const own = bundles.filter((one) => one.own && one.links.length === 1);
  const sums = totals(own.length > 0 ? own : bundles, "row", (one) => one.score);
  return room / Math.max(...sums.values(), 1e-12);
}

function totals(
  bundles: readonly Bundle[],
  end: "row" | "neuron",
  size: (one: Bundle) => number,
): Map<number, number> {
  const found = new Map<number, number>();
  for (const one of bundles) found.set(one[end], (found.get(one[end]) ?? 0) + size(one));
  return found;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}

function spread(order: readonly number[], sizes: readonly number[], height: number): Slab[] {
  const gap = (height - sum(sizes)) / Math.max(1, order.length);
  let y = 0;
  return order.map((of, i) => {
    const size = (sizes[i] as number) + gap;
    y += size;
    return { of, y: y - size, height: size };
  });
}

function ribbons(
  bundles: readonly Bundle[],
  rows: readonly Slab[],
  neurons: readonly Slab[],
  width: (one: Bundle) => number,
): Ribbon[] {
  const from = stacked(bundles, "row", rows, "neuron", neurons, width);
  const to = stacked(bundles, "neuron", neurons, "row", rows, width);
  return bundles.map((bundle) => ({
    bundle,
    from: from.get(bundle) ?? 0,
    to: to.get(bundle) ?? 0,
    width: width(bundle),
  }));
}

/** The middle of each bundle's end, one above the other in the order of their other ends. */
function stacked(
  bundles: readonly Bundle[],
  end: "row" | "neuron",
  slabs: readonly Slab[],
  other: "row" | "neuron",
  others: readonly Slab[],
  width: (one: Bundle) => number,
): Map<Bundle, number> {
  const place = new Map(others.map((one, i) => [one.of, i]));
  const found = new Map<Bundle, number>();
  for (const slab of slabs) {
    const mine = bundles.filter((one) => one[end] === slab.of);
    mine.sort((a, b) => (place.get(a[other]) ?? 0) - (place.get(b[other]) ?? 0));
    let y = slab.y + (slab.height - sum(mine.map(width))) / 2;
    for (const one of mine) {
      found.set(one, y + width(one) / 2);
      y += width(one);
    }
  }
  return found;
}
