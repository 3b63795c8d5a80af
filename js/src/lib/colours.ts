// Colours of values: tables of them, those of heat, and the scale that tells what they stand for.
import { h } from "./dom.ts";
import { type Grid, range } from "./pixels.ts";
import { number } from "./words.ts";

export type Colour = readonly [number, number, number];

/** Colours from their hexadecimal numbers. */
export function table(hexadecimals: string): Colour[] {
  return hexadecimals
    .split(" ")
    .map((hex) => [0, 2, 4].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)) as never);
}

/** The colour at `t` of the way along a table. */
export function between(colours: readonly Colour[], t: number): Colour {
  const place = Math.min(1, Math.max(0, t)) * (colours.length - 1);
  const low = Math.min(colours.length - 2, Math.floor(place));
  const [a, b] = [colours[low] as Colour, colours[low + 1] as Colour];
  const part = place - low;
  return [0, 1, 2].map((i) =>
    Math.round((a[i] as number) * (1 - part) + (b[i] as number) * part),
  ) as never;
}

const OPAQUE = 0.85; // the image is to be seen under the strongest heat, too

// Heat: inferno's upper part for what speaks for the decision, blues for what speaks against it.
// Perceptually uniform, told apart by the colour-blind; faint where the value is, so that the
// image stays visible. A bundle without heat is to go without its tables: hence the marks.
const FOR = /* @__PURE__ */ table(
  "3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4",
);
const AGAINST = /* @__PURE__ */ table("0b1f5c 123a86 1c5aa8 2f7fc4 55a5da 8acbee c4ecff");

/** Colour and alpha, 0..255 each, of a value between -1 and 1. */
export function heat(value: number): readonly [number, number, number, number] {
  const strength = Math.min(1, Math.abs(value));
  const colour = between(value < 0 ? AGAINST : FOR, strength);
  return [...colour, Math.round(255 * Math.min(OPAQUE, 1.25 * strength))];
}

const STEPS = 255;

/** `heat` for the values -1 .. 1 in 511 steps, four bytes each. */
export const HEAT = /* @__PURE__ */ heatBytes();

function heatBytes(): Uint8ClampedArray {
  const colours = Array.from({ length: 2 * STEPS + 1 }, (_, i) => heat((i - STEPS) / STEPS));
  return Uint8ClampedArray.from(colours.flat());
}

export function heatIndex(value: number): number {
  return 4 * Math.round((Math.min(1, Math.max(-1, value)) + 1) * STEPS);
}

/** The map as a CSS gradient, opaque, from the value `low` to `high` (both between -1 and 1). */
export function heatGradient(low: number, high: number): string {
  const stops = Array.from({ length: 17 }, (_, i) => {
    const value = low + ((high - low) * i) / 16;
    const [r, g, b, a] = heat(value);
    return `rgb(${r} ${g} ${b} / ${Math.round((100 * a) / 255)}%)`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** Words at a place of a scale, in percent. */
export type Tick = readonly [place: number, words: string];

export function tickMarks(ticks: readonly Tick[]): HTMLElement[] {
  return ticks.map(([place, words]) => {
    const mark = h("span", {}, words);
    mark.style.left = `${place}%`;
    return mark;
  });
}

/** The extent of a map, and the value that its strongest colour stands for. */
export function scaleOf(map: Grid): { low: number; high: number; strongest: number } {
  const [low, high] = range(map);
  return { low, high, strongest: Math.max(-low, high) || 1 };
}

/** The colours of heat from `low` to `high`, between -1 and 1, and words along them. */
export function ramp(low: number, high: number, ticks: readonly Tick[]) {
  const colours = h("span", {});
  colours.style.background = heatGradient(low, high);
  return [
    h("div", { class: "hx-ramp", "aria-hidden": "true" }, colours),
    h("div", { class: "hx-ticks" }, ...tickMarks(ticks)),
  ] as const;
}

/** A map's own colours with the numbers of their ends, and zero where it stands at least `clear`
 * percent from the lower one; `zero` is null for a map of which next to nothing is against. */
export function mapRamp(map: Grid, clear: number) {
  const { low, high, strongest } = scaleOf(map);
  const against = low < -0.04 * strongest;
  const zero = (100 * -low) / (high - low || 1);
  const ticks: Tick[] = [[0, number(against ? low : 0)]];
  if (against && zero > clear && zero < 80) ticks.push([zero, number(0)]);
  ticks.push([100, number(high)]);
  const [bar, marks] = ramp(low / strongest, high / strongest, ticks);
  return { bar, marks, zero: against ? zero : null };
}
