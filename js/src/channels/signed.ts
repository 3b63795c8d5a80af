// Signed colours on the page's own ground: orange for, blue against, faint where the value is.
import { between, table } from "../lib/colours.ts";

const LIGHT = {
  plus: table("fde3d3 f9b48a ea7a45 c2410f 7a1f06"),
  minus: table("d6e8f7 9cc8ea 5a9bd4 1f69ab 08306b"),
};
const DARK = {
  plus: table("4a2415 8f3d17 d0662b f5a263 ffe3c7"),
  minus: table("14304a 1d5687 3a86c8 84bdee d9eefc"),
};
export const STEPS = 255;

/** Colours of -1 .. 1 in 511 steps, as pixels of a canvas; zero is nothing at all. */
export function signedColours(dark: boolean): Uint32Array {
  const { plus, minus } = dark ? DARK : LIGHT;
  return Uint32Array.from({ length: 2 * STEPS + 1 }, (_, i) => {
    const part = (i - STEPS) / STEPS;
    if (part === 0) return 0;
    const [r, g, b] = between(part > 0 ? plus : minus, Math.abs(part));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

/** The same from -1 to 1 as a CSS gradient. */
export function signedGradient(dark: boolean): string {
  const { plus, minus } = dark ? DARK : LIGHT;
  const stop = (part: number) => {
    const [r, g, b] = between(part > 0 ? plus : minus, Math.abs(part));
    return `rgb(${r} ${g} ${b}) ${50 + 50 * part}%`;
  };
  const parts = Array.from({ length: 13 }, (_, i) => i / 12);
  const stops = [
    ...parts.map((p) => stop(-(1 - p) || -1e-6)),
    ...parts.map((p) => stop(p || 1e-6)),
  ];
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
