// A scale of colours, and the numbers along it.
import { heatGradient } from "./colormap.ts";
import { h } from "./dom.ts";
import { scaleOf } from "./heat.ts";
import type { Grid } from "./pixels.ts";
import { type Tick, tickMarks } from "./ticks.ts";
import { number } from "./words.ts";

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
