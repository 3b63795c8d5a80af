// Small marks that both views draw: how well a concept is known, and what is left unexplained.
import { h } from "../lib/dom.ts";
import { percent } from "../lib/words.ts";
import type { Part } from "./payload.ts";
import { precision } from "./words.ts";

/** Average precision as a bar from 0 to 1, with a tick where a guess would be. */
export function precisionMark(part: Part): HTMLElement | null {
  if (part.precision === null) return null;
  const bar = h("i", {});
  bar.style.width = `${100 * part.precision}%`;
  const chance = part.chance !== null && h("b", {});
  if (chance) chance.style.left = `${100 * (part.chance as number)}%`;
  return h(
    "span",
    { class: "hx-ap", title: precision(part) },
    h("span", { class: "hx-ap-bar", "aria-hidden": "true" }, bar, chance),
    h("span", { class: "hx-ap-value" }, `AP ${part.precision.toFixed(2)}`),
  );
}

/** What the concepts of the next level explain of this one, and the rest. */
export function restMark(part: Part, named: boolean): HTMLElement | null {
  if (part.unexplained === null) return null;
  const bar = h("i", {});
  bar.style.width = `${100 * (1 - part.unexplained)}%`;
  const words = `${percent(part.unexplained)} unexplained`;
  return h(
    "span",
    { class: "hx-rest", title: `${words} by the concepts of the next level` },
    h("span", { class: "hx-rest-bar", "aria-hidden": "true" }, bar),
    h("span", { class: "hx-rest-value" }, named ? words : percent(part.unexplained)),
  );
}

/** In how many of a set's images a concept was found: a dot each, or a bar where they are many. */
export function countMark(count: number, images: number): HTMLElement {
  const label = `${count} of ${images}`;
  const few = images <= 40;
  const dots = h("span", { class: few ? "hx-dots" : "hx-count-bar", "aria-hidden": "true" });
  if (few)
    for (let i = 0; i < images; i++) dots.append(h("i", { class: i < count ? "hx-in" : "" }));
  else {
    const bar = h("i", {});
    bar.style.width = `${(100 * count) / images}%`;
    dots.append(bar);
  }
  return h(
    "span",
    { class: "hx-counted", title: `found in ${label} images` },
    dots,
    h("span", {}, `${count}/${images}`),
  );
}
