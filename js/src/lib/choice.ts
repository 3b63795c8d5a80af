// Choices of one: buttons side by side, or a list.
import { button, h } from "./dom.ts";

export interface Choice<T extends string> {
  readonly element: HTMLElement;
  show(value: T): void;
}

/** Buttons side by side, one of which is pressed. */
export function choiceOf<T extends string>(
  label: string,
  options: readonly (readonly [T, string])[],
  choose: (value: T) => void,
): Choice<T> {
  const buttons = new Map(
    options.map(([value, name]) => [value, button(name, () => choose(value))]),
  );
  const element = h(
    "div",
    { class: "hx-choice", role: "group", "aria-label": label },
    ...buttons.values(),
  );
  const show = (value: T) => {
    for (const [name, one] of buttons) one.setAttribute("aria-pressed", String(name === value));
  };
  return { element, show };
}

/** A labelled list to choose from. */
export function selectOf<T extends string>(
  label: string,
  options: readonly (readonly [T, string])[],
  choose: (value: T) => void,
): Choice<T> {
  const select = h("select", { "aria-label": label });
  for (const [value, name] of options) select.append(h("option", { value }, name));
  select.addEventListener("change", () => choose(select.value as T));
  const element = h("label", { class: "hx-select" }, h("span", {}, label), select);
  return {
    element,
    show: (value) => {
      select.value = value;
    },
  };
}
