// The graph: rows of the tree, neurons, and the ribbons between them.
import { fill, h, setAttribute, svg } from "../lib/dom.ts";
import { walkNeurons, walkTree } from "./keys.ts";
import { type Frame, frameOf, Motion } from "./motion.ts";
import { type Bundle, ribbonPath } from "./ribbons.ts";
import { ConceptRow, NeuronRow, Thumbs } from "./rows.ts";
import type { Session, Spot } from "./session.ts";
import { scored } from "./words.ts";

const INDENT = { wide: 15, narrow: 9, below: 520 };

/** Branches beyond these have the colour of the stem. */
const TINTS = 7;

export function tint(session: Session, concept: number): string {
  const branch = session.branch[concept] ?? -1;
  return branch >= 0 && branch < TINTS ? `var(--hx-branch-${branch})` : "var(--hx-stem)";
}

export class Stage {
  readonly element: HTMLElement;
  private readonly tree = h("div", {
    class: "hx-tree",
    role: "tree",
    "aria-label": "Concepts. Arrow keys move, right and left unfold and fold, Enter chooses.",
  });
  private readonly neurons = h("div", {
    class: "hx-neurons",
    role: "listbox",
    "aria-label": "Neurons. Arrow keys move, Enter chooses.",
  });
  private readonly canvas = svg("svg", { class: "hx-ribbons", "aria-hidden": "true" });
  private readonly guides = svg("path", { class: "hx-guides" });
  private readonly lines = svg("svg", { class: "hx-lines", "aria-hidden": "true" }, this.guides);
  private readonly none = h("p", { class: "hx-none", role: "status", hidden: true });
  private readonly body: HTMLElement;
  private readonly rows = new Map<number, ConceptRow>();
  private readonly units = new Map<number, NeuronRow>();
  private readonly paths = new Map<string, { path: SVGPathElement; bundle: Bundle }>();
  private readonly dashes = svg("g", { class: "hx-dashes" });
  private readonly thumbs: Thumbs;
  private readonly motion = new Motion((frame) => this.place(frame));
  private readonly watch: ResizeObserver;
  private width = 0;
  private indent = INDENT.wide;

  constructor(private readonly session: Session) {
    this.thumbs = new Thumbs(session);
    this.body = h("div", { class: "hx-columns" }, this.tree, this.canvas, this.neurons);
    this.tree.append(this.lines);
    this.element = h(
      "section",
      { class: "hx-stage", "aria-label": "Graph" },
      h(
        "div",
        { class: "hx-heads", "aria-hidden": "true" },
        h("span", {}, "Concept"),
        h("span", { class: "hx-f1-head" }, "F1"),
        h("span", { class: "hx-neuron-head" }, "Neuron"),
      ),
      this.none,
      this.body,
    );
    this.listen();
    this.watch = new ResizeObserver(() => session.guard(() => this.measure()));
    this.watch.observe(this.canvas);
    session.on((change) => {
      if (change === "graph" || change === "shape" || change === "choice") this.draw();
      else if (change === "hover") this.emphasise();
      else if (change === "pictures") this.picture();
    });
    this.draw();
  }

  close(): void {
    this.watch.disconnect();
    this.motion.stop();
    this.thumbs.close();
  }

  private listen(): void {
    const { session } = this;
    this.tree.addEventListener("keydown", (event) => walkTree(session, event, this.focuser()));
    this.neurons.addEventListener("keydown", (event) =>
      walkNeurons(session, event, this.focuser()),
    );
    this.canvas.addEventListener("pointerleave", () => session.hover(null));
    this.canvas.addEventListener("click", () => session.clear());
  }

  private focuser() {
    return {
      concept: (i: number) => this.rows.get(i)?.focus(),
      neuron: (i: number) => this.units.get(i)?.focus(),
    };
  }

  private measure(): void {
    if (this.canvas.clientWidth === this.width) return;
    this.width = this.canvas.clientWidth;
    const { wide, narrow, below } = INDENT;
    this.indent = this.element.clientWidth < below ? narrow : wide;
    this.element.style.setProperty("--hx-indent", `${this.indent}px`);
    if (this.motion.now) this.place(this.motion.now);
  }

  private draw(): void {
    const { session } = this;
    const { shape, tree } = session;
    const focused = document.activeElement;
    keep(this.rows, shape.rows, this.tree, (i) => new ConceptRow(session, i, tint(session, i)));
    keep(this.units, shape.neurons, this.neurons, (i) => new NeuronRow(session, i, this.thumbs));
    if (focused !== document.activeElement && this.body.contains(focused))
      (focused as HTMLElement).focus({ preventScroll: true }); // it was moved
    for (const [i, row] of this.rows) row.draw(tint(session, i));
    this.redraw();
    const before = this.motion.now;
    this.motion.go(frameOf(shape), (i) => (before?.rows.has(i) ? i : tree[i]?.parent));
    this.tellNone();
    this.picture();
    this.emphasise();
  }

  private redraw(): void {
    const { session } = this;
    const wanted = new Set<string>();
    for (const { bundle } of session.shape.ribbons) {
      const key = `${bundle.row} ${bundle.neuron}`;
      wanted.add(key);
      const path = this.paths.get(key)?.path ?? this.ribbon(key);
      path.style.fill = tint(session, bundle.row);
      path.classList.toggle("hx-folded-in", !bundle.own);
      fill(path, svg("title", {}, this.told(bundle)));
      this.paths.set(key, { path, bundle });
    }
    for (const [key, { path }] of this.paths) {
      if (wanted.has(key)) continue;
      path.remove();
      this.paths.delete(key);
    }
    this.canvas.append(this.dashes);
  }

  private ribbon(key: string): SVGPathElement {
    const path = svg("path", { class: "hx-ribbon" });
    path.addEventListener("pointerenter", () => {
      const bundle = this.paths.get(key)?.bundle;
      if (bundle) this.session.hover({ kind: "neuron", i: bundle.neuron });
    });
    path.addEventListener("click", (event) => {
      const bundle = this.paths.get(key)?.bundle;
      if (!bundle) return;
      event.stopPropagation();
      if (this.session.concept !== bundle.row) this.session.chooseConcept(bundle.row);
      if (this.session.neuron !== bundle.neuron) this.session.chooseNeuron(bundle.neuron);
    });
    this.canvas.append(path);
    return path;
  }

  private told({ links, neuron }: Bundle): string {
    const { session } = this;
    const one = ({ concept }: { concept: number }) =>
      `${session.graph.concepts[concept]} ${scored(session, concept, neuron)}`;
    const first = links.slice(0, 5).map(one).join("\n");
    const more = links.length > 5 ? `\nand ${links.length - 5} more` : "";
    return `Neuron ${session.graph.neurons[neuron]}\n${first}${more}`;
  }

  private place(frame: Frame): void {
    const { width } = this;
    this.body.style.height = `${frame.height}px`;
    for (const [i, row] of this.rows) row.place(frame.rows.get(i));
    const thick = new Map<number, number>();
    for (const [key, { path, bundle }] of this.paths) {
      const [from, to, wide] = frame.ribbons.get(key) ?? [0, 0, 0];
      path.setAttribute("d", ribbonPath(0, from, width, to, wide));
      thick.set(bundle.neuron, (thick.get(bundle.neuron) ?? 0) + wide);
    }
    for (const [i, unit] of this.units) unit.place(frame.neurons.get(i), thick.get(i) ?? 0);
    this.guide(frame);
    this.dash(frame);
  }

  // lines from each concept down to those below it
  private guide(frame: Frame): void {
    const parts = [...frame.rows].map(([i, slab]) => {
      const { parent, depth } = this.session.tree[i] ?? { parent: -1, depth: 0 };
      const top = frame.rows.get(parent);
      if (!top) return "";
      const x = (depth - 1) * this.indent + 10;
      const [from, to] = [top.y + top.height / 2 + 8, slab.y + slab.height / 2];
      return `M${x},${from}V${to - 5}q0,5 5,5H${x + this.indent - 6}`;
    });
    this.guides.setAttribute("d", parts.join(""));
  }

  /** The links of a doubtful concept, dashed, while it is looked at: they are no finding. */
  private dash(frame: Frame): void {
    const { session } = this;
    const looked = this.lookedAt();
    const doubtful = looked.filter(
      (spot) => spot.kind === "concept" && !session.usable(spot.i) && frame.rows.has(spot.i),
    );
    const lines = doubtful.flatMap(({ i }) =>
      session.neuronsOf(i).flatMap(({ neuron }) => {
        const [from, to] = [frame.rows.get(i), frame.neurons.get(neuron)];
        if (!from || !to) return [];
        const [a, b] = [from.y + from.height / 2, to.y + to.height / 2];
        const middle = this.width / 2;
        return [svg("path", { d: `M0,${a}C${middle},${a} ${middle},${b} ${this.width},${b}` })];
      }),
    );
    fill(this.dashes, ...lines);
  }

  private lookedAt(): Spot[] {
    const { hovered, concept, neuron } = this.session;
    if (hovered) return [hovered];
    const chosen: Spot[] = [];
    if (concept >= 0) chosen.push({ kind: "concept", i: concept });
    if (neuron >= 0) chosen.push({ kind: "neuron", i: neuron });
    return chosen;
  }

  private emphasise(): void {
    const { session } = this;
    const looked = this.lookedAt();
    const rowsOn = looked.flatMap(({ kind, i }) =>
      kind === "concept" ? [session.standIn[i] ?? i] : [],
    );
    const unitsOn = looked.flatMap(({ kind, i }) => (kind === "neuron" ? [i] : []));
    const litRows = new Set(rowsOn);
    const litUnits = new Set(unitsOn);
    for (const { path, bundle } of this.paths.values()) {
      const [row, unit] = [rowsOn.includes(bundle.row), unitsOn.includes(bundle.neuron)];
      const on = row || unit;
      if (on) {
        litRows.add(bundle.row);
        litUnits.add(bundle.neuron);
      }
      path.classList.toggle("hx-on", on);
      path.classList.toggle("hx-both", row && unit);
    }
    this.element.classList.toggle("hx-looking", looked.length > 0);
    for (const [i, row] of this.rows) row.emphasise(litRows.has(i));
    for (const [i, unit] of this.units) unit.emphasise(litUnits.has(i));
    this.tabstops();
    if (this.motion.now) this.dash(this.motion.now);
  }

  // one row and one neuron can be reached by Tab: the chosen one, else the first
  private tabstops(): void {
    const { session } = this;
    const row = this.rows.has(session.concept) ? session.concept : session.shape.rows[0]?.of;
    const unit = this.units.has(session.neuron) ? session.neuron : session.shape.neurons[0]?.of;
    for (const [i, one] of this.rows) setAttribute(one.element, "tabindex", i === row ? 0 : -1);
    for (const [i, one] of this.units) setAttribute(one.element, "tabindex", i === unit ? 0 : -1);
  }

  private picture(): void {
    this.thumbs.read();
    for (const unit of this.units.values()) unit.picture();
  }

  private tellNone(): void {
    const { graph, links, threshold } = this.session;
    const usable = graph.flags.some((flag) => !flag);
    const words = !usable
      ? `No concept has a usable classifier at ${graph.layer}: ` +
        "each of them is flagged, choose one to read why. Another layer may know them better."
      : links.length === 0 && threshold > 0
        ? "No score is above the threshold. Lower it to see links."
        : links.length === 0
          ? "No neuron has a score above zero for any of these concepts."
          : "";
    this.none.textContent = words;
    this.none.hidden = words === "";
  }
}

/** Elements for what is shown, in its order; those that stay are kept, with their focus. */
function keep<T extends { element: HTMLElement }>(
  made: Map<number, T>,
  shown: readonly { of: number }[],
  parent: HTMLElement,
  make: (i: number) => T,
): void {
  const wanted = new Set(shown.map(({ of }) => of));
  for (const [i, one] of made) {
    if (wanted.has(i)) continue;
    one.element.remove();
    made.delete(i);
  }
  let last: Element | null = null;
  for (const { of } of shown) {
    const one = made.get(of) ?? make(of);
    made.set(of, one);
    const before: Element | null = last ? last.nextElementSibling : parent.firstElementChild;
    if (before !== one.element) parent.insertBefore(one.element, before);
    last = one.element;
  }
}
