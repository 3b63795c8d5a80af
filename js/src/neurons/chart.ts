// The bars of F1 by layer: a bqplot figure, drawn by the page's widget manager inside the view.
import type { AnyModel } from "@anywidget/types";
import { h } from "../lib/dom.ts";
import type { Session, State } from "./session.ts";

interface Mark {
  get(name: string): unknown;
  set(values: Record<string, unknown>): void;
  on(event: string, act: () => void): void;
  off(event: string, act: () => void): void;
}

interface Figure {
  get(name: "marks"): Mark[];
}

interface FigureView {
  el: HTMLElement;
  trigger(event: string): void;
  remove(): void;
  processLuminoMessage?(message: { type: string }): void;
}

interface Manager {
  get_model(id: string): Promise<unknown>;
  create_view(model: unknown): Promise<FigureView>;
}

const REFERENCE = "IPY_MODEL_";
const SOFT = "#9aa4ae";
const SHOWN = "#1976d2";

export class Chart {
  readonly element = h("div", { class: "hx-chart", role: "img" });
  private view: FigureView | null = null;
  private mark: Mark | null = null;
  private pressed = false;
  private closed = false;
  private readonly pick = () => this.picked();
  private readonly watch: ResizeObserver;

  constructor(private readonly session: Session) {
    this.element.addEventListener("pointerdown", () => {
      this.pressed = true;
    });
    // a figure that was hidden has no size until it is told
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.element);
  }

  /** Fetch the figure and draw it; where the page cannot, the numbers stay as words. */
  async load(): Promise<void> {
    if (this.session.layers.length < 2) return;
    try {
      await this.attach();
    } catch (error) {
      this.element.classList.add("hx-soft");
      this.session.complain(
        `The bars of F1 by layer cannot be drawn: ${error instanceof Error ? error.message : error}. ` +
          "A page that shows Jupyter's widgets was expected; the numbers are given in words.",
      );
      this.show();
    }
  }

  private async attach(): Promise<void> {
    const model = this.session.model as AnyModel<State> & { widget_manager: unknown };
    const manager = model.widget_manager as Manager;
    const figure = (await manager.get_model(model.get("chart").slice(REFERENCE.length))) as Figure;
    const view = await manager.create_view(figure);
    if (this.closed) {
      view.remove();
      return;
    }
    this.element.textContent = "";
    this.view = view;
    this.mark = figure.get("marks")[0] ?? null;
    this.mark?.on("change:selected", this.pick);
    this.element.append(view.el);
    if (view.processLuminoMessage) view.processLuminoMessage({ type: "after-attach" });
    else view.trigger("displayed");
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
    if (!this.view) this.element.textContent = words;
    mark?.set({
      y: Float64Array.from(values),
      colors: names.map((name) => (name === layer ? SHOWN : SOFT)),
    });
  }

  close(): void {
    this.closed = true;
    this.watch.disconnect();
    this.mark?.off("change:selected", this.pick);
    this.view?.remove();
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

  private resize(): void {
    if (this.element.clientWidth > 0) this.view?.processLuminoMessage?.({ type: "resize" });
  }
}
