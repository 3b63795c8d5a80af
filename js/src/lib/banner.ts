// Errors as text above the view; each can be dismissed, and nothing else is lost.
import { button, h } from "./dom.ts";

export class Banner {
  readonly element = h("div", { class: "hx-banners", role: "alert" });

  /** Show what went wrong; the same words are shown once. */
  show(problem: unknown): void {
    const text = problem instanceof Error ? problem.message : String(problem);
    const shown = [...this.element.querySelectorAll("p")].some((p) => p.textContent === text);
    if (shown) return;
    const box = h("div", { class: "hx-banner" }, h("p", {}, text));
    box.append(button("Dismiss", () => box.remove()));
    this.element.append(box);
  }
}
