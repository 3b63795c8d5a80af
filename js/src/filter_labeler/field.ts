// The field in which a name is typed, completed from names used so far and labelled parts.

import { Combobox, find } from "../lib/controls.ts";
import { h } from "../lib/dom.ts";
import { vocabulary } from "./choice.ts";
import type { Session } from "./session.ts";

const MOST = 7;

interface Offer {
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
  private readonly box: Combobox<Offer>;

  constructor(
    private readonly session: Session,
    private readonly done: () => void,
  ) {
    this.box = new Combobox("Name of the part", "Parts", {
      find: (typed) => offers(vocabulary(session.sheet, session.names), typed),
      words: ({ name, fresh }) => [name, fresh && h("small", {}, "new name")],
      take: ({ name }) => this.take(name),
      press: (key, shift) => this.press(key, shift),
    });
    this.box.input.placeholder = "Type the name of a part";
    this.box.input.maxLength = session.sheet.longest;
    this.box.element.classList.add("hx-name-field");
  }

  get element(): HTMLElement {
    return this.box.element;
  }

  focus(): void {
    this.box.input.focus();
  }

  /** Empty the field for another filter. */
  clear(): void {
    this.box.clear();
  }

  private take(name: string): void {
    this.clear();
    this.session.name(this.session.at, name);
    this.done();
  }

  private press(key: string, shift: boolean): boolean {
    const { typed, offered } = this.box;
    if ((key === "Enter" || (key === "Tab" && !shift)) && typed) {
      const chosen = key === "Enter" && shift ? undefined : offered;
      this.take(chosen?.name ?? typed.replace(/\s+/g, " "));
    } else if (key === "Escape" || key === "Enter") {
      this.clear();
      this.done();
    } else return false;
    return true;
  }
}
