// Controls: the keyboard and the sheet that tells it, choices of one, a field that finds names.
import { button, type Child, fill, h, setAttribute } from "./dom.ts";
import type { Layer } from "./evidence.ts";
import { layerName } from "./words.ts";

export type Keys = readonly (readonly [keys: string, act: string])[];
export type Acts<Of extends unknown[] = []> = Record<string, (...of: Of) => void>;

/** A sheet that tells the keys of a view; `back` is where the focus goes when it closes. */
export class KeySheet {
  readonly element = h("div", {
    class: "hx-sheet",
    role: "dialog",
    "aria-label": "Keys",
    hidden: true,
  });
  /** A button that opens it. */
  readonly hint = button("", () => this.toggle());

  constructor(
    keys: Keys,
    private readonly back: () => void,
    note = "",
  ) {
    const close = button("Close", () => this.toggle());
    fill(this.hint, "Keys ", h("kbd", {}, "?"));
    fill(
      this.element,
      h("h3", {}, "Keys"),
      h("dl", {}, ...keys.flatMap(([key, act]) => [h("dt", {}, key), h("dd", {}, act)])),
      note !== "" && h("p", {}, note),
      h("div", { class: "hx-actions" }, close),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle();
    });
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  toggle(): void {
    this.element.hidden = this.open;
    if (this.open) this.element.querySelector("button")?.focus();
    else this.back();
  }
}

/** Whether a key is pressed with others that make it the page's or the browser's. */
export function modified(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.metaKey || event.altKey;
}

/** A key that the view has acted on is nobody else's. */
export function take(event: KeyboardEvent): void {
  event.preventDefault();
  event.stopPropagation();
}

/** Do what the key stands for, if it stands for anything. */
export function press<Of extends unknown[]>(event: KeyboardEvent, acts: Acts<Of>, ...of: Of): void {
  const act = acts[event.key];
  if (!act) return;
  take(event);
  act(...of);
}

/** A node of a tree that is drawn level by level. */
interface Node<N> {
  readonly parent: N | null;
  readonly depth: number;
}

/** What a tree's keys need of it: its nodes from the first to the last, and what to do with one. */
interface Walk<N> {
  root(): N;
  inOrder(): readonly N[];
  focus(node: N): void;
  /** Go on to what is below a node, opening it. */
  inward(node: N): void;
  toggle(node: N): void;
}

/** The keys of a tree that grows to the right: along its levels, in and out, open and fold. */
export function treeActs<N extends Node<N>>(walk: Walk<N>): Acts<[N]> {
  const move = (next: N | null | undefined) => next && walk.focus(next);
  const beside = (node: N, by: number) => {
    const peers = walk.inOrder().filter((one) => one.depth === node.depth);
    return peers[peers.indexOf(node) + by];
  };
  return {
    ArrowRight: (node) => walk.inward(node),
    ArrowLeft: (node) => move(node.parent),
    ArrowDown: (node) => move(beside(node, 1)),
    ArrowUp: (node) => move(beside(node, -1)),
    Home: () => move(walk.root()),
    End: () => move(walk.inOrder().at(-1)),
    Enter: (node) => walk.toggle(node),
    " ": (node) => walk.toggle(node),
  };
}

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

const MOST = 8;
let made = 0;

interface Found {
  index: number;
  name: string;
}

/** Names that contain the words typed, those that begin with them first; a number is an index,
 * unless names have numbers of their own. */
export function find(
  names: readonly string[],
  typed: string,
  most = MOST,
  indexed = true,
): Found[] {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return [];
  const all = names.map((name, index) => ({ index, name }));
  const first = all.filter((one) => one.name.toLowerCase().startsWith(wanted));
  const rest = all.filter((one) => !first.includes(one) && one.name.toLowerCase().includes(wanted));
  const numbered =
    indexed && /^\d+$/.test(wanted) ? all.slice(Number(wanted), Number(wanted) + 1) : [];
  return [...new Set([...numbered, ...first, ...rest])].slice(0, most);
}

/** What is offered as one types. */
interface Offers<T> {
  /** What the text can stand for. */
  find(typed: string): readonly T[];
  words(offer: T): Child[];
  take(offer: T): void;
  /** Act on a key; whether it was one of the field's. */
  press(key: string, shift: boolean): boolean;
}

/** A text field with a list of offers; the arrow keys go along it. */
export class Combobox<T> {
  readonly input: HTMLInputElement;
  readonly element: HTMLElement;
  private readonly list: HTMLUListElement;
  private readonly id = `hx-search-${++made}`;
  private found: readonly T[] = [];
  private active = 0;

  constructor(
    label: string,
    listLabel: string,
    private readonly offers: Offers<T>,
  ) {
    this.input = h("input", {
      type: "text",
      role: "combobox",
      "aria-label": label,
      "aria-expanded": "false",
      "aria-controls": this.id,
      "aria-autocomplete": "list",
      placeholder: label,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.list = h("ul", { id: this.id, role: "listbox", "aria-label": listLabel, hidden: true });
    this.element = h("div", { class: "hx-search" }, this.input, this.list);
    this.input.addEventListener("input", () => this.look());
    this.input.addEventListener("blur", () => this.fold());
    this.input.addEventListener("keydown", (event) => {
      if (!event.isComposing && this.press(event)) take(event);
    });
  }

  get typed(): string {
    return this.input.value.trim();
  }

  /** The offer that the arrow keys have come to. */
  get offered(): T | undefined {
    return this.found[this.active];
  }

  clear(): void {
    this.keep("");
  }

  /** Show a text, without offers. */
  keep(text: string): void {
    this.input.value = text;
    this.fold();
  }

  private look(): void {
    this.found = this.offers.find(this.input.value);
    this.active = 0;
    this.list.replaceChildren(...this.found.map((offer, i) => this.option(offer, i)));
    this.mark();
  }

  private option(offer: T, i: number): HTMLElement {
    const attributes = { role: "option", id: `${this.id}-${i}` };
    const option = h("li", attributes, ...this.offers.words(offer));
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.offers.take(offer);
    });
    return option;
  }

  private fold(): void {
    this.found = [];
    this.mark();
  }

  private mark(): void {
    const some = this.found.length > 0;
    this.list.hidden = !some;
    this.input.setAttribute("aria-expanded", String(some));
    setAttribute(this.input, "aria-activedescendant", some ? `${this.id}-${this.active}` : null);
    for (const [i, option] of [...this.list.children].entries())
      option.setAttribute("aria-selected", String(i === this.active));
  }

  private press({ key, shiftKey }: KeyboardEvent): boolean {
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (!step || this.found.length === 0) return this.offers.press(key, shiftKey);
    this.active = (this.active + step + this.found.length) % this.found.length;
    this.mark();
    return true;
  }
}

/** A field that finds one of these names, and keeps it until what is chosen is there. */
export function searchField(
  label: string,
  names: readonly string[],
  choose: (found: string | number) => unknown,
  indexed = true,
): HTMLElement {
  const pick = (choice: string | number, name: string) => {
    field.keep(name);
    const there = () => field.typed === name && field.clear();
    void Promise.resolve(choose(choice)).then(there, there);
  };
  // without a match the kernel is asked all the same: it names the nearest classes
  const typedChoice = () => {
    const { typed, offered } = field;
    return offered?.index ?? (indexed && /^\d+$/.test(typed) ? Number(typed) : typed);
  };
  const typedName = () => field.offered?.name ?? field.typed;
  const field: Combobox<Found> = new Combobox(label, label, {
    find: (typed) => find(names, typed, MOST, indexed),
    words: ({ name }) => [name],
    take: ({ index, name }) => pick(index, name),
    press: (key) => {
      if (key === "Enter" && field.typed) pick(typedChoice(), typedName());
      else if (key === "Escape" && field.input.value) field.clear();
      else return false;
      return true;
    },
  });
  return field.element;
}

/** A field that finds a channel by its number, or by its name where it has one. */
export interface ChannelField {
  readonly element: HTMLElement;
  /** Offer these channels from now on. */
  offer(channels: readonly number[], named?: (channel: number) => string): void;
}

/** `choose` is called with a channel that is offered; what is none is complained of. */
export function channelField(
  kind: string,
  choose: (channel: number) => void,
  complain: (words: string) => void,
): ChannelField {
  const names: string[] = [];
  let offered: readonly number[] = [];
  const take = (found: string | number) => {
    const channel = typeof found === "number" ? offered[found] : undefined;
    if (channel !== undefined) choose(channel);
    else
      complain(
        `No ${kind} here is called ${found}; a number or a name was expected; ` +
          "type a part of it and choose from the list.",
      );
  };
  return {
    element: searchField(`Find a ${kind}`, names, take, false),
    offer: (channels, named = () => "") => {
      offered = channels;
      names.splice(0, names.length, ...channels.map((one) => `#${one} ${named(one)}`.trim()));
    },
  };
}
