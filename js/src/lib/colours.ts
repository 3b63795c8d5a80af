// Tables of colours, and the colours between theirs.

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
