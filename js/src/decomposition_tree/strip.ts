// One path from the image to the edge, in one look: map and guided picture of every step.

import { h } from "../lib/dom.ts";
import { percent } from "../lib/words.ts";
import type { Change, Session } from "./session.ts";
import type { TreeNode } from "./tree.ts";
import { levelName } from "./words.ts";

const PIXELS = 240;

export class Strip {
  readonly element = h("section", { class: "hx-strip", "aria-label": "The path, step by step" });
  private shown = "";
  private painting = 0;

  constructor(
    private readonly session: Session,
    private readonly look: (node: TreeNode) => void,
  ) {
    session.on((change) => this.follow(change));
    this.follow("tree");
  }

  close(): void {
    cancelAnimationFrame(this.painting);
  }

  private follow(change: Change): void {
    if (change === "busy") return;
    const wanted = `${this.session.line.map((node) => node.key).join("/")} ${this.session.current.key}`;
    if (change === "tree" || wanted !== this.shown) this.build();
    this.shown = wanted;
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private build(): void {
    const { current, line } = this.session;
    this.element.replaceChildren(
      ...line.map((node) => {
        const step = this.step(node);
        step.classList.toggle("hx-current", node === current);
        step.classList.toggle("hx-next", node.depth > current.depth);
        return step;
      }),
    );
  }

  private step(node: TreeNode): HTMLElement {
    const pixels = { width: PIXELS, height: PIXELS };
    const pictures = node.parent
      ? [
          h("canvas", { ...pixels, "data-shown": "map" }),
          h("canvas", { ...pixels, "data-shown": "guided" }),
        ]
      : [h("canvas", { ...pixels, "data-shown": "image" })];
    const name = node.parent
      ? [
          h("strong", {}, levelName(node.layer)),
          h("span", {}, `#${node.facts.channel}`),
          h("span", {}, percent(node.facts.share)),
        ]
      : [h("strong", {}, "Image"), h("span", {}, this.session.tree.payload.target.name)];
    const step = h(
      "button",
      { type: "button", class: "hx-step", "data-path": node.key, tabindex: -1 },
      h("div", { class: "hx-step-name" }, ...name),
      h("div", { class: "hx-step-pictures" }, ...pictures),
    );
    step.addEventListener("click", () => this.look(node));
    return step;
  }

  private paint(): void {
    const { painter, line, arrangement } = this.session;
    for (const [i, node] of line.entries()) {
      for (const canvas of this.element.children[i]?.querySelectorAll("canvas") ?? []) {
        const shown = canvas.dataset.shown as "map" | "guided" | "image";
        const missing = shown === "guided" && !painter.hasPicture(node.key);
        canvas.classList.toggle("hx-missing", missing);
        canvas.title = missing ? "guided backpropagation not drawn yet" : "";
        painter.paintCrop(canvas, node, shown, Math.max(0.7, arrangement.opacity));
      }
    }
  }
}
