// The bars of F1 by layer: a bqplot figure, drawn by the page's widget manager inside the view.
import { h } from "../lib/dom.ts";
import { Figure, type Mark } from "../lib/figure.ts";
import type { Session } from "./session.ts";

const SOFT = "#9aa4ae";
const SHOWN = "#1976d2";

export class Chart {
  readonly element = h("div", { class: "hx-chart", role: "img" });
  private readonly figure = new Figure();
  private mark: Mark | null = null;
  /** Whether it cannot be drawn: until that is known, it is on its way, and nothing takes its place. */
  private failed = false;
  private pressed = false;
  private readonly pick = () => this.picked();

  constructor(private readonly session: Session) {
    this.element.addEventListener("pointerdown", () => {
      this.pressed = true;
    });
  }

  /** Fetch the figure and draw it; where the page cannot, the numbers stay as words. */
  async load(): Promise<void> {
    if (this.session.layers.length < 2) return;
    try {
      await this.attach();
    } catch (error) {
      this.failed = true;
      this.element.classList.add("hx-soft");
      this.session.complain(
        `The bars of F1 by layer cannot be drawn: ${error instanceof Error ? error.message : error}. ` +
          "A page that shows Jupyter's widgets was expected; the numbers are given in words.",
      );
      this.show();
    }
  }

  private async attach(): Promise<void> {
    const { model } = this.session;
    this.element.replaceChildren(this.figure.element);
    await this.figure.load(model, model.get("chart"));
    this.mark = this.figure.marks[0] ?? null;
    this.mark?.on("change:selected", this.pick);
    this.show();
  }

  /** Fill it for the chosen concept; here, so that it is right without a kernel, too. */
  show(): void {
    const { session, mark } = this;
    const { f1, layer } = session.graph;
    const { concept, layers } = session;
    if (concept < 0) return;
    const shallowFirst = layers.map((_, i) => layers.length - 1 - i);
    const values = shallowFirst.map((l) => f1[l]?.[concept] ?? 0);
    const names = shallowFirst.map((l) => layers[l]?.name ?? "");
    const words = names.map((name, i) => `${name} ${values[i]?.toFixed(2)}`).join(", ");
    this.element.setAttribute("aria-label", `F1 by layer: ${words}`);
    if (this.failed || layers.length < 2) this.element.textContent = words;
    mark?.set({
      y: Float64Array.from(values),
      colors: names.map((name) => (name === layer ? SHOWN : SOFT)),
    });
  }

  close(): void {
    this.mark?.off("change:selected", this.pick);
    this.figure.close();
  }

  private picked(): void {
    const selected = this.mark?.get("selected") as ArrayLike<number> | null | undefined;
    const last = selected?.[selected.length - 1];
    if (!this.pressed || last === undefined) return;
    this.pressed = false;
    const { layers, graph } = this.session;
    const name = layers[layers.length - 1 - last]?.name;
    this.mark?.set({ selected: null });
    if (name !== undefined && name !== graph.layer) this.session.turn("layer", name);
  }
}
