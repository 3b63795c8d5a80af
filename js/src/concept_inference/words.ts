// Facts in words: what is read on the screen and by a screen reader; all of them as a nested list,
// for who cannot see the drawing.

import { fill, h, listen } from "../lib/dom.ts";
import type { Layer } from "../lib/evidence.ts";
import { range } from "../lib/pixels.ts";
import { weakly } from "../lib/trust.ts";
import { counted, number, percent, stageName } from "../lib/words.ts";
import type { Concept, Inference, Part } from "./payload.ts";
import type { Session } from "./session.ts";

export function levelName(inference: Inference, depth: number): string {
  const level = inference.payload.levels[depth] ?? "";
  return level.charAt(0).toUpperCase() + level.slice(1);
}

export function layerName(layer: Layer | null): string {
  if (!layer) return "output";
  return layer.stage === null ? layer.name : stageName(layer).toLowerCase();
}

export function below(concept: Concept, inference: Inference): string {
  const level = inference.payload.levels[concept.depth + 1] ?? "concept";
  return counted(concept.children.length, level);
}

/** Which sets have a concept: all, some, or one alone; nothing where there is one set. */
export function ownership(concept: Concept, inference: Inference): string {
  const { sets } = inference.payload;
  if (sets.length === 1) return "";
  const names = concept.known.map((part) => sets[part.set]?.name ?? "");
  if (names.length === sets.length) return `shared by all ${sets.length}`;
  return names.length === 1 ? `only ${names[0]}` : `shared by ${names.join(", ")}`;
}

/** How much of a concept the next level explains in a set; null where that is not known. */
export function explainedOf(concept: Concept | null, set: number): number | null {
  const unexplained = concept?.parts[set]?.unexplained ?? null;
  return unexplained === null ? null : Math.min(1, Math.max(0, 1 - unexplained));
}

function weight(concept: Concept, part: Part): string {
  const of = concept.parent?.name ?? "";
  const whole = explainedOf(concept.parent, part.set);
  const all = whole === null ? "" : ` All that was found explains ${percent(whole)} of ${of}.`;
  return part.weight < 0
    ? `Speaks against ${of}: weight ${number(part.weight)}, ${percent(part.share)} of all that does.${all}`
    : `Carries ${percent(part.share)} of what speaks for ${of}: weight ${number(part.weight)}.${all}`;
}

/** What a concept rests on in a set: how many, and of which level. */
function under(concept: Concept, inference: Inference, part: Part): [number, string] {
  const count = concept.children.filter((child) => child.parts[part.set]).length;
  return [count, inference.payload.levels[concept.depth + 1] ?? "concept"];
}

/** How much of a concept the next level explains in a set, in short. */
export function explained(concept: Concept, inference: Inference, part: Part): string {
  if (part.unexplained === null) return "";
  const [count, level] = under(concept, inference, part);
  return `${percent(1 - part.unexplained)} explained by ${counted(count, level)}`;
}

/** How much of a concept the next level explains in a set, and how much it does not. */
export function restOf(concept: Concept, inference: Inference, part: Part): string {
  if (part.unexplained === null) return "";
  const [count, level] = under(concept, inference, part);
  const left = `${percent(part.unexplained)} is unexplained`;
  const many = (inference.payload.sets[part.set]?.images ?? 0) > 0;
  if (count === 0 && many)
    return `No ${level} is shared by half of its images; ${left} in the mean.`;
  if (count === 0) return `No ${level} was found to explain it: ${left}.`;
  const who = count === 1 ? `Its ${level} explains` : `Its ${counted(count, level)} explain`;
  return `${who} ${percent(1 - part.unexplained)} of it; ${left}.`;
}

export function precision(part: Part): string {
  if (part.precision === null) return "";
  const guess = part.chance === null ? "" : `; a guess would reach ${number(part.chance)}`;
  const said = part.hardly ? `: ${part.hardly}` : "";
  return `Held-out average precision ${number(part.precision)}${guess}${said}.`;
}

function decision(inference: Inference, part: Part): string {
  const target = inference.payload.sets[part.set]?.target;
  if (!target) return "";
  return `${target.name}: probability ${percent(target.probability)}, logit ${number(target.logit)}.`;
}

function found(inference: Inference, part: Part): string {
  const images = inference.payload.sets[part.set]?.images ?? 0;
  return images > 0 ? `Found in ${part.count} of ${counted(images, "image")}.` : "";
}

/** How weak a concept's map is beside the strongest of its level in a set; nothing where it is not. */
export function weakness(concept: Concept, { inference, words }: Session, set: number): string {
  const peak = (one: Concept) => {
    const map = one.parts[set]?.map;
    return map ? Math.max(...range(map).map(Math.abs)) : null;
  };
  const level = [...inference.concepts.values()].filter((one) => one.depth === concept.depth);
  return weakly(words, peak(concept), level.map(peak));
}

/** What one set says of a concept, in plain sentences. */
export function sentences(concept: Concept, inference: Inference, part: Part): string[] {
  return [
    concept.parent ? weight(concept, part) : decision(inference, part),
    concept.parent ? found(inference, part) : "",
    restOf(concept, inference, part),
    precision(part),
    part.flag === null ? "" : `Doubtful: ${part.flag}.`.replace(/\.\.$/, "."),
  ].filter(Boolean);
}

/** One line for a screen reader and for hover. */
export function spoken(concept: Concept, inference: Inference, set?: number): string {
  const parts = concept.known.filter((part) => set === undefined || part.set === set);
  const told = parts.map((part) => {
    const name = inference.payload.sets[part.set]?.name;
    const words = sentences(concept, inference, part).join(" ");
    return name && set === undefined ? `${name}: ${words}` : words;
  });
  const whose = set === undefined ? ownership(concept, inference) : "";
  const head = `${concept.name}, ${inference.payload.levels[concept.depth] ?? ""}`;
  return [whose ? `${head}, ${whose}.` : `${head}.`, ...told].join(" ");
}

/** A nested list of all concepts, for who cannot see the drawing. */
export function conceptList(session: Session): HTMLElement {
  const body = h("div", {});
  const element = h("details", { class: "hx-as-list" }, h("summary", {}, "All concepts as a list"));
  element.append(body);
  const entry = (concept: Concept): HTMLElement => {
    const text = h("span", {}, spoken(concept, session.inference));
    const below = concept.children.length > 0 && h("ul", {}, ...concept.children.map(entry));
    return h("li", {}, text, below);
  };
  // written when it is first opened, and after every new inference
  const write = () => {
    if (element.open) fill(body, h("ul", {}, entry(session.inference.root)));
  };
  listen(element, { toggle: write });
  session.on((change) => change === "inference" && write());
  return element;
}
