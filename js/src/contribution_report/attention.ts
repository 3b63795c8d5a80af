// Grad-CAM of an image's score, beside the maps of its concepts (Fig. 5 of the paper).
import { h } from "../lib/dom.ts";
import { number } from "../lib/words.ts";
import { drawScale, paintPicture } from "./painting.ts";
import type { Session } from "./session.ts";

export class Attention {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { role: "img" });
  private readonly scale = h("div", { class: "hx-map-scale" });

  constructor(
    private readonly session: Session,
    private readonly image: number,
  ) {
    const words = session.cards[image]?.attention ?? "";
    const found = session.attention(image) !== null;
    this.canvas.setAttribute("aria-label", `Grad-CAM over image ${image + 1}: ${words}`);
    this.element = h(
      "figure",
      { class: "hx-attention" },
      found && this.canvas,
      found && this.scale,
      h("figcaption", { "aria-hidden": String(found) }, h("b", {}, "Grad-CAM."), ` ${words}`),
    );
  }

  /** Show or hide it, as it is wished. */
  draw(): void {
    const { session, image, canvas, scale } = this;
    this.element.hidden = !session.saved.attention;
    const map = session.attention(image);
    if (this.element.hidden || !map) return;
    paintPicture(canvas, session.pictures[image], map, session.mostAttention);
    drawScale(scale, 0, number(session.mostAttention));
  }
}
