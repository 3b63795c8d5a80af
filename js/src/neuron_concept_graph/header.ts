// Which layer and estimator are shown, and the tools for finding, folding and thinning out.
import { layerSelect, searchField, selectOf } from "../lib/controls.ts";
import { debounced } from "../lib/debounced.ts";
import { button, h } from "../lib/dom.ts";
import { counted, layerName } from "../lib/words.ts";
import type { Session } from "./session.ts";
import { estimatorWords, thresholdWords } from "./words.ts";

export function header(session: Session): HTMLElement {
  const layers = layerSelect(session.layers, (layer) => session.turn("layer", layer));
  const estimators = selectOf(
    "Scores",
    session.model.get("estimators").map(([name]) => [name, name] as const),
    (name) => session.turn("estimator", name),
  );
  const [where, facts] = [h("small", {}), h("p", { class: "hx-facts", role: "status" })];
  const show = () => {
    const { layer, estimator, neurons, concepts: names } = session.graph;
    layers.show(layer);
    estimators.show(estimator);
    where.textContent =
      `${layerName(session.layers, layer)} · ` +
      `${counted(names.length, "concept")}, ${counted(neurons.length, "neuron")}`;
    facts.textContent = estimatorWords(session);
  };
  session.on((change) => (change === "graph" || change === "busy") && show());
  show();
  return h(
    "header",
    { class: "hx-header" },
    h("div", {}, h("h2", { class: "hx-title" }, h("b", {}, "Neurons and concepts"), where), facts),
    session.live && h("div", { class: "hx-tools" }, layers.element, estimators.element),
  );
}

export class Tools {
  readonly element: HTMLElement;
  private readonly top;
  private readonly threshold;
  private readonly table;
  private readonly find = h("div", { class: "hx-find" });
  private names = "";

  constructor(private readonly session: Session) {
    this.top = slider("Neurons per concept", { min: 1, max: 1, step: 1 }, (value) =>
      session.set("top", value),
    );
    this.threshold = slider("Score", { min: 0, max: 1, step: 0.01 }, (value) =>
      session.set("threshold", value),
    );
    this.table = button("Table", () => session.arrange({ table: !session.saved.table }));
    this.element = h(
      "div",
      { class: "hx-toolbar", role: "toolbar", "aria-label": "The graph" },
      this.find,
      this.top.element,
      this.threshold.element,
      h(
        "span",
        { class: "hx-folds" },
        button("Fold", () => session.foldAll(true), { "aria-label": "Fold all concepts" }),
        button("Unfold", () => session.foldAll(false), { "aria-label": "Unfold all concepts" }),
        this.table,
      ),
    );
    session.on((change) => ["graph", "shape", "table"].includes(change) && this.show());
    this.show();
  }

  close(): void {
    this.top.cancel();
    this.threshold.cancel();
  }

  private show(): void {
    const { session } = this;
    this.top.input.max = String(session.graph.most);
    this.top.show(session.top, `${session.top} strongest`);
    this.threshold.show(session.threshold, thresholdWords(session));
    this.table.setAttribute("aria-pressed", String(session.saved.table ?? false));
    this.offer();
  }

  // neurons change with the layer
  private offer(): void {
    const { concepts: names, neurons } = this.session.graph;
    const all = [...names, ...neurons.map((one) => `#${one}`)];
    const key = all.join("\n");
    if (key === this.names) return;
    this.names = key;
    const take = (found: string | number) => this.take(found, names.length);
    this.find.replaceChildren(searchField("Find a concept or neuron", all, take, false));
  }

  private take(found: string | number, count: number): void {
    const { session } = this;
    if (typeof found === "string") {
      session.complain(
        `Nothing here is called ${found}; a concept's name or a neuron's number was expected; ` +
          "type a part of it and choose from the list.",
      );
    } else if (found < count) {
      session.reveal(found);
      if (session.concept !== found) session.chooseConcept(found);
    } else if (session.neuron !== found - count) session.chooseNeuron(found - count);
  }
}

function slider(
  label: string,
  range: { min: number; max: number; step: number },
  change: (value: number) => void,
) {
  const input = h("input", { type: "range", "aria-label": label, ...range });
  const output = h("output", {});
  const later = debounced(() => change(input.valueAsNumber), 60);
  input.addEventListener("input", later);
  return {
    input,
    element: h("label", { class: "hx-slider" }, h("span", {}, label), input, output),
    cancel: later.cancel,
    show: (value: number, words: string) => {
      if (later.waits()) return; // it was moved, and is heard soon
      input.value = String(value);
      input.setAttribute("aria-valuetext", words);
      output.textContent = words;
    },
  };
}
