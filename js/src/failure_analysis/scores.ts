// Two bars that move: what the network gives to the wrong and to the right class.

import { h } from "../lib/dom.ts";
import type { Prediction } from "../lib/evidence.ts";
import type { Session } from "./session.ts";
import { moved, verdict } from "./words.ts";

class Bar {
  readonly element: HTMLElement;
  private readonly fill = h("i", {});
  private readonly mark = h("b", { title: "before anything was covered" });
  private readonly said = h("span", { class: "hx-score-said" });

  constructor(kind: "wrong" | "right", name: string, words: string) {
    this.element = h(
      "div",
      { class: `hx-score hx-${kind}` },
      h("span", { class: "hx-score-name" }, h("b", {}, name), h("small", {}, ` ${words}`)),
      this.said,
      h("div", { class: "hx-score-track", "aria-hidden": "true" }, this.fill, this.mark),
    );
  }

  show(start: Prediction, now: Prediction | null): void {
    const part = (share: number) => `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
    this.fill.style.width = part((now ?? start).probability);
    this.mark.style.left = part(start.probability);
    this.said.textContent = moved(start, now);
  }
}

export class ScoreBars {
  readonly element: HTMLElement;
  private readonly wrong: Bar;
  private readonly right: Bar;
  private readonly said = h("p", { class: "hx-verdict", role: "status" });

  constructor(private readonly session: Session) {
    const { start, rightly } = session.scores;
    this.wrong = new Bar(rightly ? "right" : "wrong", start.wrong.name, "named");
    this.right = rightly
      ? new Bar("wrong", start.right.name, "runner-up")
      : new Bar("right", start.right.name, "should be");
    this.element = h(
      "section",
      { class: "hx-scores", "aria-label": "Scores" },
      this.said,
      this.wrong.element,
      this.right.element,
    );
    session.on((told) => {
      if (told === "scores") this.show();
      if (told === "busy") this.wait();
    });
    this.show();
  }

  private show(): void {
    const { start, now, share, rightly } = this.session.scores;
    this.wrong.show(start.wrong, now?.wrong ?? null);
    this.right.show(start.right, now?.right ?? null);
    this.said.textContent = verdict(start, now, share, rightly);
    const turned = !rightly && now !== null && now.named.index === start.right.index;
    this.said.classList.toggle("hx-turned", turned);
  }

  private wait(): void {
    this.element.setAttribute("aria-busy", String(this.session.waits));
    if (!this.session.waits) this.show();
  }
}
