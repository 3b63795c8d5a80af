// Which classes are compared: each with its colour, one more to be found, any to be left out.

import { searchField } from "../../lib/controls.ts";
import { button, fill, h, short } from "../../lib/dom.ts";
import { counted } from "../../lib/words.ts";
import type { ClassChecks } from "../agreement.ts";
import type { Session } from "./session.ts";

/** The colour of the class at this place. */
export function tint(i: number): string {
  return `var(--hx-class-${i % 8})`;
}

export class Classes {
  readonly element = h("div", { class: "hx-classes", role: "group", "aria-label": "Classes" });
  private readonly chips = h("div", { class: "hx-chips", role: "list" });
  private notes: HTMLElement[] = [];

  constructor(
    private readonly session: Session,
    private readonly checks: ClassChecks,
  ) {
    const names = session.model.get("classes");
    this.element.append(this.chips);
    if (session.live)
      this.element.append(searchField("Add a class", names, (found) => this.add(names, found)));
    session.on((change) => {
      if (change === "overlap") this.update();
      if (change === "checks") this.writeNotes();
    });
    this.update();
  }

  private update(): void {
    const { overlap, live } = this.session;
    this.notes = overlap.classes.map(() => h("span", { class: "hx-chip-note" }));
    fill(this.chips, ...overlap.classes.map((name, i) => this.chip(name, i, live)));
    this.writeNotes();
  }

  private writeNotes(): void {
    for (const [i, note] of this.notes.entries()) {
      const found = this.checks.note(i);
      note.hidden = !found && !this.session.checkable;
      fill(note, found ?? this.session.words.short.unchecked);
    }
  }

  private chip(name: string, i: number, live: boolean): HTMLElement {
    const dot = h("i", { "aria-hidden": "true" });
    dot.style.background = tint(i);
    const count = h("small", {}, counted(this.session.sizeOf(i), "channel"));
    const several = this.session.overlap.classes.length > 1;
    return h(
      "span",
      { class: "hx-chip", role: "listitem" },
      dot,
      short(name, "hx-name"),
      count,
      this.notes[i],
      live && several && button("×", () => this.drop(i), { "aria-label": `Leave out ${name}` }),
    );
  }

  private indices(): number[] {
    const names = this.session.model.get("classes");
    return this.session.overlap.classes.map((name) => names.indexOf(name));
  }

  private add(names: readonly string[], found: string | number): void {
    const index = typeof found === "number" ? found : names.indexOf(found);
    if (index < 0 || index >= names.length) {
      this.session.complain(
        `No class is called ${found}; one of ${names.length} names was expected; type a part of it and choose from the list.`,
      );
      return;
    }
    void this.session.change({ classes: [...new Set([...this.indices(), index])] });
  }

  private drop(i: number): void {
    void this.session.change({ classes: this.indices().filter((_, n) => n !== i) });
  }
}
