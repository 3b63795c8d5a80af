// A bqplot figure inside a view, drawn by the page's own widget manager.
import { h } from "./dom.ts";

export interface Mark {
  get(name: string): unknown;
  set(values: Record<string, unknown>): void;
  on(event: string, act: () => void): void;
  off(event: string, act: () => void): void;
}

interface FigureModel {
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

export class Figure {
  readonly element = h("div", { class: "hx-figure" });
  marks: Mark[] = [];
  private view: FigureView | null = null;
  private closed = false;
  private readonly watch = new ResizeObserver(() => this.resize());

  /** Draw the figure that a trait names; rejects where the page shows no Jupyter widgets. What was
   * closed meanwhile may be gone from the page, and nobody waits for it. */
  async load(model: object, reference: string): Promise<void> {
    try {
      await this.draw(model, reference);
    } catch (error) {
      if (!this.closed) throw error;
    }
  }

  private async draw(model: object, reference: string): Promise<void> {
    const manager = (model as { widget_manager?: Manager }).widget_manager;
    if (!manager) throw new Error("this page has no widget manager");
    const figure = (await manager.get_model(reference.slice(REFERENCE.length))) as FigureModel;
    if (this.closed) return;
    const view = await manager.create_view(figure);
    if (this.closed) {
      view.remove();
      return;
    }
    this.view = view;
    this.marks = figure.get("marks");
    this.element.replaceChildren(view.el);
    if (view.processLuminoMessage) view.processLuminoMessage({ type: "after-attach" });
    else view.trigger("displayed");
    // a figure that was hidden has no size until it is told
    this.watch.observe(this.element);
  }

  close(): void {
    this.closed = true;
    this.watch.disconnect();
    this.view?.remove();
  }

  private resize(): void {
    if (this.element.clientWidth > 0) this.view?.processLuminoMessage?.({ type: "resize" });
  }
}
