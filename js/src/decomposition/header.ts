// What is explained, and the choices that hold for the whole tree.

import { button, fill, h } from "../lib/dom.ts";
import { searchField } from "../lib/search.ts";
import { number, percent } from "../lib/words.ts";
import type { Session } from "./session.ts";

const MOST_CHANNELS = 24;

export class Header {
  readonly element = h("header", { class: "hx-header" });
  private readonly title = h("h2", { class: "hx-title" });
  private readonly count = h("output", { "aria-live": "polite" });
  private readonly fewer: HTMLButtonElement;
  private readonly more: HTMLButtonElement;

  constructor(
    private readonly session: Session,
    retarget: (target: string | number) => void,
  ) {
    this.fewer = button("−", () => this.step(-1), { "aria-label": "Fewer channels per step" });
    this.more = button("+", () => this.step(1), { "aria-label": "More channels per step" });
    const stepper = h(
      "div",
      { class: "hx-stepper", role: "group", "aria-label": "Channels per step" },
      h("span", {}, "Channels per step"),
      this.fewer,
      this.count,
      this.more,
    );
    const search = searchField("Explain another class", session.model.get("classes"), retarget);
    this.element.append(this.title, h("div", { class: "hx-tools" }, search, stepper));
    session.on((change) => change === "tree" && this.update());
    this.update();
  }

  private update(): void {
    const { target, top_k: topK } = this.session.tree.payload;
    fill(
      this.title,
      h("span", { class: "hx-why" }, "Why "),
      h("b", {}, target.name),
      h("span", { class: "hx-why" }, "?"),
      h("small", {}, `${percent(target.probability)} · logit ${number(target.logit)}`),
    );
    this.count.textContent = String(topK);
    this.fewer.disabled = topK <= 1;
    this.more.disabled = topK >= MOST_CHANNELS;
    this.element.classList.toggle("hx-still", !this.session.live);
  }

  private step(by: number): void {
    void this.session.ask("top_k", { top_k: this.session.tree.payload.top_k + by });
  }
}
