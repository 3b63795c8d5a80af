// The rows of the matrix as a table, for those who read rather than look.
import { button, fill, h } from "../lib/dom.ts";
import { number } from "../lib/words.ts";
import type { Session } from "./session.ts";
import { fitted, sparsity } from "./words.ts";

export class Table {
  readonly element = h("section", { class: "hx-table", "aria-label": "Classes", hidden: true });
  private readonly buttons: [number, HTMLButtonElement][] = [];

  constructor(private readonly session: Session) {
    session.on((change) => {
      if (change === "mark") this.emphasise();
      else if (change !== "busy") this.draw();
    });
  }

  private draw(): void {
    const { saved, rows } = this.session;
    this.element.hidden = !saved.table;
    this.buttons.length = 0;
    if (!saved.table) {
      fill(this.element);
      return;
    }
    const heads = ["Class", "Non-zero", "R²", "Strongest channels"];
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
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, payload.classes[row], flag ? h("small", {}, ` ⚑ ${flag}`) : null),
      h("td", {}, sparsity(payload, row)),
      h("td", { class: "hx-number" }, fitted(payload, row)),
      h("td", {}, h("div", { class: "hx-strongest" }, ...strongest)),
    );
  }

  private emphasise(): void {
    for (const [channel, one] of this.buttons)
      one.setAttribute("aria-pressed", String(channel === this.session.channel));
  }
}
