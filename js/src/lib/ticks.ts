// The numbers along a scale.
import { h } from "./dom.ts";

/** Words at a place of a scale, in percent. */
export type Tick = readonly [place: number, words: string];

export function tickMarks(ticks: readonly Tick[]): HTMLElement[] {
  return ticks.map(([place, words]) => {
    const mark = h("span", {}, words);
    mark.style.left = `${place}%`;
    return mark;
  });
}
