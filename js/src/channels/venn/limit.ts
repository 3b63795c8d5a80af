// How many channels of a class count: its strongest n, or all above a part of its strongest.
import { choiceOf } from "../../lib/controls.ts";
import { debounced } from "../../lib/debounced.ts";
import { h } from "../../lib/dom.ts";
import { percent } from "../../lib/words.ts";
import type { Session } from "./session.ts";

const PAUSE = 90;
const DECADES = 4; // the threshold's slider runs from 1e-4 to 1
const STEPS = 40;
const MOST = 100;

type Limit = "top" | "threshold";

export function thresholdAt(step: number): number {
  return Number((10 ** ((step / STEPS - 1) * DECADES)).toPrecision(2));
}

export function stepAt(threshold: number): number {
  return Math.round((Math.log10(threshold) / DECADES + 1) * STEPS);
}

export class LimitControl {
  readonly element: HTMLElement;
  private readonly slider = h("input", { type: "range" });
  private readonly output = h("output", {});
  private readonly choice;
  private readonly send = debounced(() => this.ask(), PAUSE);

  constructor(private readonly session: Session) {
    const options = [
      ["top", "Strongest"],
      ["threshold", "Threshold"],
    ] as const;
    this.choice = choiceOf<Limit>("Which channels count", options, (limit) => this.turn(limit));
    this.element = h(
      "div",
      { class: "hx-limit", role: "group", "aria-label": "Which channels count" },
      this.choice.element,
      h("label", {}, this.slider, this.output),
    );
    this.slider.addEventListener("input", () => {
      this.write();
      this.send();
    });
    session.on((change) => {
      if (change === "overlap") this.update();
      // a question may only make room for the next one
      else if (change === "busy") queueMicrotask(() => this.update());
    });
    this.slider.disabled = !session.live;
    for (const one of this.choice.element.querySelectorAll("button")) one.disabled = !session.live;
    this.update();
  }

  close(): void {
    this.send.cancel();
  }

  private get limit(): Limit {
    return this.slider.dataset.limit as Limit;
  }

  private update(): void {
    const { top, threshold } = this.session.overlap;
    const limit = top === null ? "threshold" : "top";
    // a slider that is being moved stays under the hand, and where it was put until that is answered
    const held = this.slider.matches(":active") && this.limit === limit;
    const asked = this.send.waits() || this.session.kernel.busy.includes("overlap");
    if (!held && !asked) this.set(limit, top ?? stepAt(threshold as number));
    this.write();
  }

  private set(limit: Limit, value: number): void {
    this.slider.dataset.limit = limit;
    this.slider.min = limit === "top" ? "1" : "0";
    this.slider.max = String(limit === "top" ? Math.max(MOST, value) : STEPS);
    this.slider.value = String(value);
    this.slider.setAttribute(
      "aria-label",
      limit === "top"
        ? "Strongest channels of each class"
        : "Part of the class's strongest channel",
    );
    this.choice.show(limit);
  }

  private turn(limit: Limit): void {
    if (limit === this.limit || !this.session.live) return;
    this.set(limit, limit === "top" ? 10 : stepAt(0.1));
    this.write();
    this.ask();
  }

  private ask(): void {
    const value = Number(this.slider.value);
    const limit = this.limit === "top" ? { top: value } : { threshold: thresholdAt(value) };
    void this.session.change({ limit });
  }

  private write(): void {
    const value = Number(this.slider.value);
    const words =
      this.limit === "top"
        ? `${value} per class`
        : `above ${part(thresholdAt(value))} of the largest`;
    this.output.textContent = words;
    this.slider.setAttribute("aria-valuetext", words);
  }
}

function part(threshold: number): string {
  return threshold >= 0.001 ? percent(threshold) : `${Number((100 * threshold).toPrecision(2))} %`;
}
