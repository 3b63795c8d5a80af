// Distances within and between the sets; a cell brings its two sets out in the plot.

import { modified, take } from "../lib/controls.ts";
import { classed, h, listen, setAttribute, short } from "../lib/dom.ts";
import { markOf } from "./markers.ts";
import type { Pair, Session } from "./session.ts";
import { distance, spoken } from "./words.ts";

export class Table {
  readonly element: HTMLElement;
  private readonly cells: HTMLElement[][];
  private focus: Pair = [0, 0];

  constructor(private readonly session: Session) {
    const { groups } = session.space.payload;
    this.cells = groups.map((_, s) => groups.map((_, t) => this.cell(s, t)));
    const head = groups.map(({ name }, set) =>
      h("th", { scope: "col", title: name }, markOf(set), short(name)),
    );
    const rows = groups.map(({ name }, s) => {
      const first = h("th", { scope: "row", title: name }, markOf(s), short(name));
      return h("tr", {}, first, ...(this.cells[s] ?? []));
    });
    const table = h(
      "table",
      { role: "grid", "aria-label": "Distances within and between sets" },
      h("thead", {}, h("tr", {}, h("td", {}), ...head)),
      h("tbody", {}, ...rows),
    );
    table.style.setProperty("--hx-count", String(groups.length));
    listen(table, {
      keydown: (event) => this.press(event),
      pointerleave: () => session.hoverCell(null),
    });
    this.element = h("div", { class: "hx-distances" }, table);
    session.on((change) => change === "arrangement" && this.update());
    this.update();
  }

  private cell(s: number, t: number): HTMLElement {
    const { session } = this;
    const entry = session.space.payload.table[s]?.[t];
    const words = spoken(session.space, s, t);
    const made = h(
      "td",
      { role: "gridcell", "aria-label": words, title: words },
      entry && h("b", {}, distance(entry)),
      entry?.p ? h("small", {}, entry.p) : null,
    );
    classed(made, "hx-within", s === t);
    classed(made, "hx-apart", entry?.apart === true);
    listen(made, {
      click: () => session.chooseCell(s, t),
      pointerenter: () => session.hoverCell([s, t]),
      focus: () => {
        this.focus = [s, t];
        this.update();
        session.hoverCell([s, t]);
      },
      blur: () => session.hoverCell(null),
    });
    return made;
  }

  private update(): void {
    const { cell } = this.session;
    for (const [s, row] of this.cells.entries())
      for (const [t, made] of row.entries()) {
        const on = cell !== null && Math.min(s, t) === cell[0] && Math.max(s, t) === cell[1];
        setAttribute(made, "aria-selected", String(on));
        setAttribute(made, "tabindex", s === this.focus[0] && t === this.focus[1] ? 0 : -1);
      }
  }

  private press(event: KeyboardEvent): void {
    if (modified(event)) return;
    const [s, t] = this.focus;
    const by: Pair | undefined = {
      ArrowRight: [0, 1],
      ArrowLeft: [0, -1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
    }[event.key] as Pair | undefined;
    if (by) this.go(s + by[0], t + by[1]);
    else if (event.key === "Enter" || event.key === " ") this.session.chooseCell(s, t);
    else if (event.key === "Escape" && this.session.cell) this.session.arrange({ cell: "" });
    else return;
    take(event);
  }

  private go(s: number, t: number): void {
    this.cells[s]?.[t]?.focus();
  }
}
