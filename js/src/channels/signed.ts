// Signed colours on the page's own ground: orange for, blue against, faint where the value is.

type Colour = readonly [number, number, number];

const parse = (table: string): Colour[] =>
  table
    .split(" ")
    .map((hex) => [0, 2, 4].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)) as never);

const LIGHT = {
  plus: parse("fde3d3 f9b48a ea7a45 c2410f 7a1f06"),
  minus: parse("d6e8f7 9cc8ea 5a9bd4 1f69ab 08306b"),
};
const DARK = {
  plus: parse("4a2415 8f3d17 d0662b f5a263 ffe3c7"),
  minus: parse("14304a 1d5687 3a86c8 84bdee d9eefc"),
};
export const STEPS = 255;

function between(table: readonly Colour[], t: number): Colour {
  const place = Math.min(1, Math.max(0, t)) * (table.length - 1);
  const low = Math.min(table.length - 2, Math.floor(place));
  const [a, b] = [table[low] as Colour, table[low + 1] as Colour];
  const mixed = [0, 1, 2].map((i) => {
    const [from, to] = [a[i] as number, b[i] as number];
    return Math.round(from + (to - from) * (place - low));
  });
  return mixed as never;
}

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
