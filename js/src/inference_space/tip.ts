// What a point is, beside it: its image, its name, and what was inferred in it.

import { fill, h } from "../lib/dom.ts";
import { type Check, verdict } from "../lib/faith.ts";
import type { Seen } from "./projection.ts";
import type { Session } from "./session.ts";
import { agreement, pointName } from "./words.ts";

const PICTURE = 132; // pixels wide, drawn twice as fine
const BESIDE = 16;

export class Tip {
  readonly element = h("div", { class: "hx-tip", "aria-hidden": "true", hidden: true });
  private shown: number | null = null;
  private pictured = false;
  private faith: Check | null = null;

  constructor(private readonly session: Session) {}

  show(point: number | null, at: Seen | null, width: number, height: number): void {
    this.element.hidden = point === null || at === null;
    if (point === null || at === null) return;
    const faith = this.session.check(String(point));
    if (point !== this.shown || !this.pictured || faith !== this.faith) this.write(point);
    const [wide, tall] = [this.element.offsetWidth, this.element.offsetHeight];
    const right = at.x + BESIDE + wide <= width;
    const x = right ? at.x + BESIDE : at.x - BESIDE - wide;
    const y = Math.max(4, Math.min(height - tall - 4, at.y - tall / 2));
    this.element.style.transform = `translate(${Math.max(4, x)}px, ${y}px)`;
  }

  private write(point: number): void {
    const { space, thumbnails } = this.session;
    const one = this.session.point(point);
    const canvas = h("canvas", {});
    this.shown = point;
    this.faith = this.session.check(String(point));
    this.pictured = thumbnails.paint(canvas, point, 2 * PICTURE);
    fill(
      this.element,
      this.pictured && canvas,
      h("b", {}, pointName(space, one)),
      h("span", {}, space.payload.groups[one.set]?.concept ?? ""),
      this.faith && h("span", { "data-verdict": verdict(this.faith) }, agreement(this.faith)),
    );
  }
}
