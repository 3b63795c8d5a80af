// Parts that the views of channels have in common: choices, the layer, and what the kernel does.

import { selectOf } from "./choice.ts";
import { button, fill, h } from "./dom.ts";
import type { Layer } from "./evidence.ts";
import type { Kernel } from "./kernel.ts";

export function layerName(layer: Layer): string {
  return layer.stage === null ? layer.name : `Stage ${layer.stage} (${layer.name})`;
}

/** A switch over the fitted layers; nothing where there is only one. */
export function layerSelect(layers: readonly Layer[], turn: (layer: string) => void) {
  const options = layers.map((layer) => [layer.name, layerName(layer)] as const);
  const made = selectOf("Layer", options, turn);
  made.element.hidden = layers.length < 2;
  return made;
}

/** What the kernel is doing, and a way to give it up. */
export function workLine(words: Record<string, string>) {
  const element = h("div", { class: "hx-work", role: "status", hidden: true });
  let shown: string | undefined;
  const show = (kernel: Kernel) => {
    const kind = kernel.busy[0];
    if (kind === shown) return;
    shown = kind;
    element.hidden = kind === undefined;
    fill(
      element,
      kind && h("span", {}, `${words[kind] ?? "Working"} …`),
      kind && button("Cancel", () => kernel.cancel()),
    );
  };
  return { element, show };
}

export interface Debounced {
  (): void;
  /** Whether it is called and has not acted yet. */
  waits(): boolean;
  cancel(): void;
}

/** Call `act` once the calls have paused for `pause` milliseconds. */
export function debounced(act: () => void, pause: number): Debounced {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const later = () => {
    cancel();
    timer = setTimeout(() => {
      timer = undefined;
      act();
    }, pause);
  };
  return Object.assign(later, { waits: () => timer !== undefined, cancel });
}
