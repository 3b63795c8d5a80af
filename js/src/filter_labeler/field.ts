// The field in which a name is typed, completed from names used so far and labelled parts.
import { h, setAttribute } from "../lib/dom.ts";
import { take } from "../lib/keys.ts";
import { find } from "../lib/search.ts";
import { vocabulary } from "./choice.ts";
import type { Session } from "./session.ts";

const MOST = 7;
let made = 0;

export interface Offer {
  readonly name: string;
  readonly fresh: boolean;
}

/** What a text can stand for: names that begin with it, the text itself, names that contain it.
 * The first is what Enter takes. */
export function offers(names: readonly string[], typed: string): Offer[] {
  const text = typed.trim().replace(/\s+/g, " ");
  if (!text) return [];
  const known = find(names, text, MOST, false).map(({ name }) => ({ name, fresh: false }));
  if (known.some(({ name }) => name === text)) {
    return [{ name: text, fresh: false }, ...known.filter(({ name }) => name !== text)];
  }
  const begins = ({ name }: Offer) => name.toLowerCase().startsWith(text.toLowerCase());
  const rest = known.filter((one) => !begins(one));
  return [...known.filter(begins), { name: text, fresh: true }, ...rest];
}

export class Field {
  readonly input: HTMLInputElement;
  readonly element: HTMLElement;
  private readonly list: HTMLUListElement;
  private readonly id = `hx-name-${++made}`;
  private found: Offer[] = [];
  private active = 0;

  constructor(
    private readonly session: Session,
    private readonly done: () => void,
  ) {
    this.input = h("input", {
      type: "text",
      role: "combobox",
      "aria-label": "Name of the part",
      "aria-expanded": "false",
      "aria-controls": this.id,
      "aria-autocomplete": "list",
      placeholder: "Type the name of a part",
      maxlength: session.sheet.longest,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.list = h("ul", { id: this.id, role: "listbox", "aria-label": "Parts", hidden: true });
    this.element = h("div", { class: "hx-search hx-name-field" }, this.input, this.list);
    this.input.addEventListener("input", () => this.look());
    this.input.addEventListener("blur", () => this.fold());
    this.input.addEventListener("keydown", (event) => this.press(event));
  }

  /** Empty the field for another filter. */
  clear(): void {
    this.input.value = "";
    this.fold();
  }

  private look(): void {
    this.found = offers(vocabulary(this.session.sheet, this.session.names), this.input.value);
    this.active = 0;
    this.list.replaceChildren(...this.found.map((offer, i) => this.option(offer, i)));
    this.mark();
  }

  private option({ name, fresh }: Offer, i: number): HTMLElement {
    const option = h(
      "li",
      { role: "option", id: `${this.id}-${i}` },
      name,
      fresh && h("small", {}, "new name"),
    );
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.take(name);
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

  private take(name: string): void {
    this.clear();
    this.session.name(this.session.at, name);
    this.done();
  }

  private press(event: KeyboardEvent): void {
    if (!event.isComposing && this.act(event)) take(event);
  }

  private act({ key, shiftKey }: KeyboardEvent): boolean {
    const typed = this.input.value.trim();
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step && this.found.length > 0) {
      this.active = (this.active + step + this.found.length) % this.found.length;
      this.mark();
    } else if ((key === "Enter" || (key === "Tab" && !shiftKey)) && typed) {
      const chosen = key === "Enter" && shiftKey ? undefined : this.found[this.active];
      this.take(chosen?.name ?? typed.replace(/\s+/g, " "));
    } else if (key === "Escape" || key === "Enter") {
      this.clear();
      this.done();
    } else return false;
    return true;
  }
}
