// Numbers, names and layers in words, as all views write them.
import type { Layer } from "./evidence.ts";

export function number(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1e5 || size < 1e-4
      ? value.toExponential(1).replace("e+", "e")
      : size >= 100
        ? value.toFixed(0)
        : String(Number(value.toPrecision(size >= 1 ? 3 : 2)));
  return text.replaceAll("-", "−");
}

/** So many of a thing. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** Names as a list in a sentence. */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join();
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

export function percent(share: number): string {
  const value = 100 * share;
  if (value < 0) return value > -0.05 ? "> −0.1 %" : `−${percent(-share)}`;
  if (value > 0 && value < 0.05) return "< 0.1 %";
  return `${value >= 9.95 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** A layer by the stage that it ends, if it ends one. */
export function stageName({ name, stage }: Layer): string {
  return stage === null ? name : `Stage ${stage}`;
}

/** One of these layers by its stage and its name. */
export function layerName(layers: readonly Layer[], name: string): string {
  const layer = layers.find((one) => one.name === name);
  return layer && layer.stage !== null ? `${stageName(layer)} (${name})` : name;
}

/** A name of at most so many letters, shortened in its middle. */
export function shortened(name: string, most: number): string {
  if (name.length <= most) return name;
  const end = Math.min(7, Math.floor(Math.max(0, most - 1) / 2));
  return `${name.slice(0, Math.max(1, most - 1 - end))}…${end > 0 ? name.slice(-end) : ""}`;
}
