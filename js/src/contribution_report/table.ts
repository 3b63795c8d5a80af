// Every number as a table, for those who read rather than look.

import { fill, h } from "../lib/dom.ts";
import type { Session } from "./session.ts";
import type { Sum } from "./waterfall.ts";
import { exact } from "./words.ts";

export class Table {
  readonly element = h("section", { class: "hx-table", "aria-label": "Contributions in logits" });

  constructor(private readonly session: Session) {
    session.on((change) => (change === "report" || change === "view") && this.draw());
    this.draw();
  }

  private draw(): void {
    const { saved, report, cards } = this.session;
    this.element.hidden = !saved.table;
    fill(this.element);
    if (!saved.table) return;
    const columns = cards.flatMap((card, i): [string, Sum][] => [
      [`Image ${i + 1}`, card],
      ...(card.baseline
        ? [[`Image ${i + 1}, plain distillation`, card.baseline] as [string, Sum]]
        : []),
    ]);
    const row = (name: string, of: (sum: Sum) => number) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, name),
        ...columns.map(([, sum]) => h("td", {}, exact(of(sum)))),
      );
    const heads = ["Concept", ...columns.map(([name]) => name)];
    const body = h(
      "tbody",
      {},
      row("bias", (sum) => sum.bias),
      ...report.names.map((name, place) => row(name, (sum) => sum.values[place] ?? 0)),
      row("unexplained", (sum) => sum.unexplained),
      row("score", (sum) => sum.score),
    );
    const head = h("tr", {}, ...heads.map((name) => h("th", { scope: "col" }, name)));
    this.element.append(h("table", {}, h("thead", {}, head), body));
  }
}
