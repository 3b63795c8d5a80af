// The rows of the matrix as a table, for those who read rather than look.

import { button, fill, h } from "../../lib/dom.ts";
import { number } from "../../lib/words.ts";
import type { ClassChecks } from "../agreement.ts";
import type { Session } from "./session.ts";
import { fitted, sparsity } from "./words.ts";

export class Table {
  readonly element = h("section", { class: "hx-table", "aria-label": "Classes", hidden: true });
  private readonly buttons: [number, HTMLButtonElement][] = [];
  private readonly notes: [number, HTMLElement][] = [];
  private noted = false;

  constructor(
    private readonly session: Session,
    private readonly checks: ClassChecks,
  ) {
    session.on((change) => {
      if (change === "mark") this.emphasise();
      else if (change === "checks") this.writeNotes();
      else if (change !== "busy") this.draw();
    });
  }

  private draw(): void {
    const { saved, rows } = this.session;
    this.element.hidden = !saved.table;
    this.buttons.length = this.notes.length = 0;
    if (!saved.table) {
      fill(this.element);
      return;
    }
    this.noted = this.session.checkable || rows.some((row) => this.checks.check(row) !== null);
    const by = this.noted ? ["By ablation"] : [];
    const heads = ["Class", "Non-zero", "R²", ...by, "Strongest channels"];
    fill(
      this.element,
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", {}, ...Array.from(rows, (row) => this.row(row))),
      ),
    );
    this.emphasise();
    this.writeNotes();
  }

  private row(row: number): HTMLElement {
    const { payload } = this.session;
    const flag = payload.flags[row];
    const strongest = (payload.strongest[row] ?? []).map(([channel, value]) => {
      const one = button(`#${channel}`, () => this.session.pick({ row, channel }), {
        title: `importance ${number(value)}`,
        "aria-label": `Channel ${channel}, importance ${number(value)}`,
      });
      this.buttons.push([channel, one]);
      return one;
    });
    const note = h("td", { class: "hx-agreement" });
    this.notes.push([row, note]);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, payload.classes[row], flag ? h("small", {}, ` ⚑ ${flag}`) : null),
      h("td", {}, sparsity(payload, row)),
      h("td", { class: "hx-number" }, fitted(payload, row)),
      this.noted && note,
      h("td", {}, h("div", { class: "hx-strongest" }, ...strongest)),
    );
  }

  private writeNotes(): void {
    for (const [row, note] of this.notes) fill(note, this.checks.note(row) ?? "–");
  }

  private emphasise(): void {
    for (const [channel, one] of this.buttons)
      one.setAttribute("aria-pressed", String(channel === this.session.channel));
  }
}
