// What is known of the chosen concept and the chosen neuron; how to read the graph without any.

import { faithLine } from "../lib/checks.ts";
import { button, fill, h, short } from "../lib/dom.ts";
import { counted, number } from "../lib/words.ts";
import { Chart } from "./chart.ts";
import { above, type ConceptNode } from "./hierarchy.ts";
import { Maps } from "./maps.ts";
import type { Quality } from "./payload.ts";
import { Regions } from "./regions.ts";
import type { Link } from "./ribbons.ts";
import type { Session } from "./session.ts";
import { tint } from "./stage.ts";
import { scored } from "./words.ts";

export class Details {
  readonly element = h("section", {
    class: "hx-details",
    tabindex: 0,
    "aria-label": "Details",
  });
  private readonly concept = h("article", { class: "hx-card", "aria-label": "Concept" });
  private readonly neuron = h("article", { class: "hx-card", "aria-label": "Neuron" });
  private readonly key: HTMLElement;
  private readonly head = h("div", { class: "hx-card-head" });
  /** The concept and the neuron that were drawn last. */
  private shown: [concept: number, channel: number | null] = [-1, null];
  private readonly list = h("div", { class: "hx-scores" });
  private readonly chartHead = h("h4", {}, "F1 by layer");
  private readonly mapHead = h("h4", {}, "Where it is seen");
  private readonly chart: Chart;
  private readonly maps: Maps;
  private readonly regions: Regions;

  constructor(private readonly session: Session) {
    this.chart = new Chart(session);
    this.maps = new Maps(session);
    this.regions = new Regions(session);
    this.key = key(session);
    this.concept.append(
      this.head,
      this.mapHead,
      this.maps.element,
      this.list,
      this.chartHead,
      this.chart.element,
    );
    this.element.append(this.key, this.concept, this.neuron);
    session.on((change) => {
      if (change === "graph" || change === "choice" || change === "shape") this.draw();
      else if (change === "pictures") this.picture();
    });
    this.draw();
  }

  /** Read the images and fetch the chart; neither keeps the other waiting. */
  async load(): Promise<void> {
    await Promise.all([this.maps.load(), this.chart.load()]);
    this.draw();
  }

  close(): void {
    this.chart.close();
    this.regions.close();
  }

  private draw(): void {
    const { session } = this;
    const { concept, channel } = session;
    this.key.hidden = concept >= 0 || channel !== null;
    this.concept.classList.toggle("hx-away", concept < 0);
    this.neuron.hidden = channel === null;
    if (concept >= 0) this.drawConcept(concept);
    if (channel !== null) this.drawNeuron(channel);
    this.picture();
    this.chart.show();
    this.chartHead.hidden = session.layers.length < 2;
    this.bringUp(concept, channel);
  }

  /** What was chosen last stands first: pictures that come later move what is below it alone. */
  private bringUp(concept: number, channel: number | null): void {
    const [before, at] = this.shown;
    this.shown = [concept, channel];
    const neuron = channel !== null && channel !== at;
    if (!neuron && concept === before && channel !== null) return;
    this.element.classList.toggle("hx-neuron-first", neuron);
    if (neuron || concept !== before) this.element.scrollTop = 0;
  }

  private picture(): void {
    this.maps.draw();
    this.mapHead.hidden = this.maps.element.hidden;
    this.regions.draw();
  }

  private drawConcept(i: number): void {
    const { session } = this;
    const { concepts: names, flags, quality } = session.graph;
    const path = above(session.tree, i).map((one) => this.jump(one));
    const { others } = session.tree[i] as ConceptNode;
    const title = h("h3", {}, names[i]);
    this.concept.style.setProperty("--hx-tint", tint(session, i));
    fill(
      this.head,
      h("div", { class: "hx-path" }, ...path),
      title,
      others.length > 0 &&
        h(
          "div",
          { class: "hx-path hx-also" },
          "also below ",
          ...others.map((one) => this.jump(one)),
        ),
      flags[i] ? doubt(flags[i]) : null,
      figures(quality[i] as Quality),
      faith(session, i),
    );
    const links = session.neuronsOf(i);
    fill(
      this.list,
      h("h4", {}, flags[i] ? "Its scores, no finding" : "Its neurons"),
      bars(session, links, flags[i] ? "hx-doubtful" : "", ({ neuron }) => ({
        name: `#${session.graph.neurons[neuron]}`,
        tint: tint(session, i),
        chosen: neuron === session.neuron,
        choose: () => session.chooseNeuron(neuron),
      })),
    );
  }

  private drawNeuron(number: number): void {
    const { session } = this;
    const i = session.neuron;
    const doubtful = session.graph.flags.filter(Boolean).length;
    const links = i < 0 ? [] : session.conceptsOf(i).slice(0, 12);
    const list =
      i < 0
        ? h(
            "p",
            { class: "hx-soft" },
            `It is among the ${session.graph.most} strongest neurons of no concept shown here.`,
          )
        : bars(session, links, "", ({ concept }) => ({
            name: session.graph.concepts[concept] as string,
            tint: tint(session, concept),
            chosen: concept === session.concept,
            choose: () => {
              session.reveal(concept);
              session.chooseConcept(concept);
            },
          }));
    fill(
      this.neuron,
      h("div", { class: "hx-card-head" }, h("h3", {}, `Neuron #${number}`)),
      this.regions.element,
      h("h4", {}, "Concepts it serves"),
      list,
      doubtful > 0 &&
        h(
          "p",
          { class: "hx-soft" },
          `Left out: ${counted(doubtful, "concept")} with a doubtful classifier.`,
        ),
    );
  }

  private jump(i: number): HTMLElement {
    const { session } = this;
    return button(session.graph.concepts[i] as string, () => session.chooseConcept(i));
  }
}

interface Bar {
  readonly name: string;
  readonly tint: string;
  readonly chosen: boolean;
  choose(): void;
}

/** Scores in order, as bars that can be chosen. */
function bars(
  session: Session,
  links: readonly Link[],
  kind: string,
  told: (link: Link) => Bar,
): HTMLElement {
  const end = ({ concept, neuron, score }: Link) => score + (session.error(concept, neuron) ?? 0);
  const most = Math.max(...links.map(end), 1e-12);
  const rows = links.map((link) => {
    const { name, tint, chosen, choose } = told(link);
    const error = session.error(link.concept, link.neuron);
    const bar = h("i", { class: "hx-bar", "aria-hidden": "true" });
    bar.style.width = `${(100 * link.score) / most}%`;
    bar.style.setProperty("--hx-tint", tint);
    const spread = h("i", { class: "hx-error", "aria-hidden": "true" });
    if (error !== null) {
      spread.style.left = `${(100 * (link.score - error)) / most}%`;
      spread.style.width = `${(200 * error) / most}%`;
    }
    const row = button("", choose, { "aria-pressed": String(chosen) });
    fill(
      row,
      short(name, "hx-name"),
      h("span", { class: "hx-length" }, bar, error !== null && spread),
      h("span", { class: "hx-number" }, scored(session, link.concept, link.neuron)),
    );
    return h("li", {}, row);
  });
  if (rows.length === 0) return h("p", { class: "hx-soft" }, "No score is above zero.");
  return h("ol", { class: `hx-ranking ${kind}`.trim() }, ...rows);
}

function doubt(flag: string): HTMLElement {
  return h(
    "p",
    { class: "hx-doubt" },
    h("b", {}, "⚑ No finding: "),
    `${flag}. Its links are left out of the graph; they are dashed while it is chosen.`,
  );
}

function figures(one: Quality): HTMLElement {
  const fact = (name: string, value: string, words: string) =>
    h("div", { title: words }, h("dt", {}, name), h("dd", {}, value));
  // of nothing that was held out no figure is known
  const two = (value: number) => (one.regions > 0 ? value.toFixed(2) : "–");
  return h(
    "dl",
    { class: "hx-figures" },
    fact("F1", two(one.f1), `on ${one.regions} held-out regions and ${one.others} others`),
    fact("chance", two(one.chance), "F1 of calling everything the concept"),
    fact("precision", two(one.precision), "of what is called the concept"),
    fact("recall", two(one.recall), "of the concept's regions"),
    fact("F1 when fitted", one.fitted_f1.toFixed(2), "on the images it was fitted on"),
    fact("held out", `${number(one.regions)} + ${number(one.others)}`, "regions of it, and others"),
  );
}

function key(session: Session): HTMLElement {
  const item = (mark: HTMLElement, words: string) => h("li", {}, mark, h("span", {}, words));
  const mark = (kind: string) => h("i", { class: kind, "aria-hidden": "true" });
  const gauge = h("span", { class: "hx-track" }, mark("hx-f1"), mark("hx-chance"));
  return h(
    "div",
    { class: "hx-key" },
    h("h3", {}, "How to read it"),
    h(
      "ul",
      {},
      item(mark("hx-key-ribbon"), "A ribbon is as wide as the neuron's score for the concept."),
      item(mark("hx-key-pale"), "Pale: the score of a concept that is folded away below."),
      item(
        gauge,
        "How well the layer knows the concept: F1 on held-out images, the mark is chance.",
      ),
      item(
        h("b", { class: "hx-flag" }, "⚑"),
        "A doubtful classifier: no finding, its links are left out.",
      ),
      item(
        h("span", { class: "hx-count" }, "×2"),
        "A concept with two parents; it stands once, below the first.",
      ),
    ),
    h(
      "p",
      {},
      "Choose a concept or a neuron, by click or with arrow keys and Enter; Escape clears.",
    ),
    ...session.graph.notes.map((note) => h("p", { class: "hx-notes" }, note)),
  );
}

/** How far the order of a concept's neurons can be trusted; nothing of a doubtful one. */
function faith({ graph, words }: Session, i: number): HTMLElement | null {
  if (graph.flags[i]) return null;
  return faithLine(words, graph.checks?.[i] ?? null, { what: "the order of these neurons" });
}
