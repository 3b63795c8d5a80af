// A text field that finds names as one types: a combobox with a list, by keyboard and pointer.
import { type Child, h, setAttribute } from "./dom.ts";
import { take } from "./keys.ts";

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
    this.input.value = "";
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

/** A field that finds one of these names. */
export function searchField(
  label: string,
  names: readonly string[],
  choose: (found: string | number) => void,
  indexed = true,
): HTMLElement {
  const pick = (choice: string | number) => {
    field.clear();
    choose(choice);
  };
  // without a match the kernel is asked all the same: it names the nearest classes
  const typedChoice = () => {
    const { typed, offered } = field;
    return offered?.index ?? (indexed && /^\d+$/.test(typed) ? Number(typed) : typed);
  };
  const field: Combobox<Found> = new Combobox(label, label, {
    find: (typed) => find(names, typed, MOST, indexed),
    words: ({ name }) => [name],
    take: ({ index }) => pick(index),
    press: (key) => {
      if (key === "Enter" && field.typed) pick(typedChoice());
      else if (key === "Escape" && field.input.value) field.clear();
      else return false;
      return true;
    },
  });
  return field.element;
}
