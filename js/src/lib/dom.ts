// Elements from data. Text always enters as text: there is no way here to parse markup.

export type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined>;

function dress<E extends Element>(element: E, attributes: Attributes, children: Child[]): E {
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  for (const child of children) if (child) element.append(child);
  return element;
}

export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | null | undefined,
): void {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return dress(document.createElement(tag), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export function button(label: string, press: () => void, attributes: Attributes = {}) {
  const made = h("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", press);
  return made;
}

/** Have an element of a class, or not. */
export function classed(element: Element, name: string, on: boolean): void {
  element.classList.toggle(name, on);
}

type Heard = { [E in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[E]) => void };

/** Act on events of an element, each by its name. */
export function listen(
  element: EventTarget,
  acts: Heard,
  options: AddEventListenerOptions = {},
): void {
  for (const [name, act] of Object.entries(acts))
    element.addEventListener(name, act as EventListener, options);
}

const ENDING = 5; // letters that stay of a name's end

/** A name that is shortened in its middle where it has no room; numbers in it are not. */
export function short(name: string, kind = ""): HTMLElement {
  const cut = name.length >= 2 * ENDING ? name.length - ENDING : name.length;
  return h(
    "span",
    {
      class: `hx-short ${kind}`.trim(),
      title: name,
      "data-head": name.slice(0, cut),
      "data-tail": name.slice(cut),
    },
    h("span", {}, name),
  );
}

export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => Boolean(child)));
}

const OWN_KEYS = "data-lm-suppress-shortcuts";

/** Keep JupyterLab from taking keys pressed in `root` as commands. Its commands match the focused
 * element itself before they look further up, so the mark must be on that one too. */
export function ownKeys(root: HTMLElement): void {
  root.setAttribute(OWN_KEYS, "true");
  root.addEventListener("focusin", (event) =>
    (event.target as Element).setAttribute(OWN_KEYS, "true"),
  );
}

/** Act when an element comes into sight for the first time. */
export function onceSeen(element: Element, act: () => void): void {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    act();
  });
  watch.observe(element);
}

export function reducedMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
