// The layers of a network by their names, and a switch over them.
import { type Choice, selectOf } from "./choice.ts";
import type { Layer } from "./evidence.ts";

/** A layer by the stage that it ends, if it ends one. */
export function stageName({ name, stage }: Layer): string {
  return stage === null ? name : `Stage ${stage}`;
}

/** One of these layers by its stage and its name. */
export function layerName(layers: readonly Layer[], name: string): string {
  const layer = layers.find((one) => one.name === name);
  return layer && layer.stage !== null ? `${stageName(layer)} (${name})` : name;
}

/** A switch over the fitted layers; nothing where there is only one. */
export function layerSelect(
  layers: readonly Layer[],
  turn: (layer: string) => void,
): Choice<string> {
  const options = layers.map(({ name }) => [name, layerName(layers, name)] as const);
  const made = selectOf("Layer", options, turn);
  made.element.hidden = layers.length < 2;
  return made;
}
