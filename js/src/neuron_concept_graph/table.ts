// All links as a table, for those who read rather than look.

import { button, fill, h } from "../lib/dom.ts";
import type { Link } from "./ribbons.ts";
import type { Session } from "./session.ts";
import { scored } from "./words.ts";

export class Table {
  readonly element = h("section", { class: "hx-table", "aria-label": "Links", hidden: true });
  private readonly buttons: [number, HTMLButtonElement][] = [];

  constructor(private readonly session: Session) {
    session.on((change) => {
      if (change === "choice") this.emphasise();
      if (change === "graph" || change === "shape" || change === "table") this.draw();
    });
    this.draw();
  }

  private draw(): void {
    const { saved, graph, links } = this.session;
    this.element.hidden = !saved.table;
    this.buttons.length = 0;
    fill(this.element);
    if (!saved.table) return;
    const of = new Map<number, Link[]>();
    for (const link of links) of.set(link.concept, [...(of.get(link.concept) ?? []), link]);
    const heads = [
      "Concept",
      "Below",
      "F1",
      "Chance",
      `Neurons with their scores (${graph.estimator})`,
    ];
    this.element.append(
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", {}, ...graph.concepts.map((_, i) => this.row(i, of.get(i) ?? []))),
      ),
    );
    this.emphasise();
  }

  private row(i: number, links: readonly Link[]): HTMLElement {
    const { concepts, flags, quality, parents } = this.session.graph;
    const { f1 = 0, chance = 0 } = quality[i] ?? {};
    const flag = flags[i];
    const above = (parents[i] ?? []).map((one) => concepts[one]).join(", ");
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, concepts[i], flag ? h("small", {}, ` ⚑ ${flag}`) : null),
      h("td", {}, above || "–"),
      h("td", {}, f1.toFixed(2)),
      h("td", {}, chance.toFixed(2)),
      h(
        "td",
        {},
        flag
          ? "no finding"
          : h("div", { class: "hx-strongest" }, ...links.map((link) => this.neuron(link))),
      ),
    );
  }

  private neuron({ concept, neuron }: Link): HTMLButtonElement {
    const { session } = this;
    const name = `#${session.graph.neurons[neuron]}`;
    const one = button("", () => session.chooseNeuron(neuron));
    fill(one, h("b", {}, name), ` ${scored(session, concept, neuron)}`);
    this.buttons.push([neuron, one]);
    return one;
  }

  private emphasise(): void {
    for (const [neuron, one] of this.buttons)
      one.setAttribute("aria-pressed", String(neuron === this.session.neuron));
  }
}
