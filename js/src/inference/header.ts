// What is explained, another class to explain, and what the kernel is doing.
import { button, fill, h } from "../lib/dom.ts";
import { searchField } from "../lib/search.ts";
import { number, percent } from "../lib/words.ts";
import type { Session } from "./session.ts";

export function header(session: Session): HTMLElement {
  const title = h("h2", { class: "hx-title" });
  const update = () => {
    const { sets } = session;
    const names = [...new Set(sets.map((one) => one.target.name))];
    const [first] = sets;
    const alone = first && sets.length === 1 ? first : null;
    fill(
      title,
      h("span", { class: "hx-why" }, "Why "),
      ...names.flatMap((name, i) => [i > 0 && h("span", {}, ", "), h("b", {}, name)]),
      h("span", { class: "hx-why" }, "?"),
      h("small", {}, alone ? told(alone) : `${sets.length} side by side`),
    );
  };
  session.on((change) => change === "inference" && update());
  update();
  const search =
    session.live &&
    searchField("Explain another class", session.model.get("classes"), (target) => {
      void session.explain(target);
    });
  return h("header", { class: "hx-header" }, title, h("div", { class: "hx-tools" }, search));
}

function told({ target, images }: Session["sets"][number]): string {
  if (images > 0) return `${images} images`;
  return `${percent(target.probability)} · logit ${number(target.logit)}`;
}

/** What the kernel is doing, for how long, and a way to give it up. */
export class WorkLine {
  readonly element = h("div", { class: "hx-work", role: "status", hidden: true });
  private readonly words = h("span", {});
  // not read out every second
  private readonly clock = h("span", { class: "hx-clock", "aria-hidden": "true" });
  private since = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly session: Session) {
    const cancel = button("Cancel", () => session.kernel.cancel());
    this.element.append(this.words, this.clock, cancel);
    session.on((change) => change === "busy" && this.update());
  }

  close(): void {
    clearInterval(this.timer);
  }

  private update(): void {
    const busy = this.session.kernel.busy.length > 0;
    if (busy === this.element.hidden) this.turn(busy);
    if (!busy) return;
    const { done, total } = this.session.kernel.news;
    const many = typeof done === "number" && typeof total === "number" && total > 1;
    const text = `Inferring concepts${many ? `, ${done + 1} of ${total}` : ""} …`;
    if (this.words.textContent !== text) this.words.textContent = text;
  }

  private turn(busy: boolean): void {
    this.element.hidden = !busy;
    clearInterval(this.timer);
    this.since = Date.now();
    this.tick();
    if (busy) this.timer = setInterval(() => this.tick(), 1000);
  }

  private tick(): void {
    this.clock.textContent = `${Math.round((Date.now() - this.since) / 1000)} s`;
  }
}
