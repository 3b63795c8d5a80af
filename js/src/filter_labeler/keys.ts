// The keyboard: one key, one act; letters begin a name.
import { KeySheet, type Keys, modified, take } from "../lib/controls.ts";
import { NO_PART } from "./choice.ts";
import type { Details } from "./details.ts";
import type { Grid } from "./grid.ts";
import { suggestion } from "./payload.ts";
import type { Session } from "./session.ts";

const KEYS: Keys = [
  ["← → ↑ ↓", "to the filter beside, above or below"],
  ["letters", "begin a name; Enter takes the first offer and goes on"],
  ["Shift Enter", "take the name just as it is typed"],
  ["Space", "accept the suggestion"],
  ["−", "it answers to no part"],
  ["Enter", "to the field of the name"],
  ["Tab  Shift Tab", "to the next filter without an answer, and back"],
  ["Delete", "take the name away"],
  ["Ctrl Z", "undo"],
  ["Home  End", "to the first and the last filter"],
  ["?", "show or hide these keys"],
  ["Esc", "leave the field; then Tab leaves the filters"],
];

export class LabelKeys {
  readonly sheet: KeySheet;
  /** After Escape the next Tab goes on through the page, as everywhere. */
  private leaving = false;

  constructor(
    private readonly session: Session,
    private readonly grid: Grid,
    private readonly details: Details,
  ) {
    this.sheet = new KeySheet(KEYS, () => grid.focus());
  }

  press(event: KeyboardEvent): void {
    if (this.act(event)) take(event);
  }

  private act(event: KeyboardEvent): boolean {
    const { key, target } = event;
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z") return this.undo(target);
    if (modified(event)) return false;
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return false;
    if (key === "Escape" && this.sheet.open) this.sheet.toggle();
    else if (key === "?") this.sheet.toggle();
    else if (this.grid.element.contains(target as Node)) return this.onCard(event);
    else return false;
    return true;
  }

  private undo(target: EventTarget | null): boolean {
    // what is being typed has its own undo
    if (target instanceof HTMLInputElement && target.value) return false;
    this.session.undo();
    this.grid.focus();
    return true;
  }

  private onCard({ key, shiftKey }: KeyboardEvent): boolean {
    const leaves = this.leaving;
    this.leaving = false;
    if (this.grid.move(key)) return true;
    if (key === "Tab") return !leaves && this.goOn(shiftKey ? -1 : 1);
    if (key === "Escape") this.leaving = true;
    else if (key === "Enter") this.details.field.focus();
    else if (key === " ") this.accept();
    else if (key === "-") this.answer(NO_PART);
    else if (key === "Delete" || key === "Backspace") this.answer(null);
    else if ([...key].length === 1) {
      // the letter itself is typed by the browser, into the field that now has the focus
      this.details.field.focus();
      return false;
    } else return false;
    return true;
  }

  private goOn(step: 1 | -1): boolean {
    if (!this.session.goOn(step)) return false;
    this.grid.focus();
    return true;
  }

  private accept(): void {
    const found = suggestion(this.session.sheet, this.session.at);
    if (found) this.answer(found.part);
  }

  private answer(name: string | null): void {
    this.session.name(this.session.at, name);
    this.grid.focus();
  }
}
