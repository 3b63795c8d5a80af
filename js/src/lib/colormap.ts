// Heat: inferno's upper part for what speaks for the decision, blues for what speaks against it.
// Perceptually uniform, told apart by the colour-blind; faint where the value is, so that the
// image stays visible.

import { between, table } from "./colours.ts";

const OPAQUE = 0.85; // the image is to be seen under the strongest heat, too

const FOR = table(
  "3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4",
);
const AGAINST = table("0b1f5c 123a86 1c5aa8 2f7fc4 55a5da 8acbee c4ecff");

/** Colour and alpha, 0..255 each, of a value between -1 and 1. */
export function heat(value: number): readonly [number, number, number, number] {
  const strength = Math.min(1, Math.abs(value));
  const colour = between(value < 0 ? AGAINST : FOR, strength);
  return [...colour, Math.round(255 * Math.min(OPAQUE, 1.25 * strength))];
}

const STEPS = 255;

/** `heat` for the values -1 .. 1 in 511 steps, four bytes each. */
export const HEAT: Uint8ClampedArray = Uint8ClampedArray.from(
  { length: 4 * (2 * STEPS + 1) },
  (_, i) => heat((Math.floor(i / 4) - STEPS) / STEPS)[i % 4] as number,
);

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
