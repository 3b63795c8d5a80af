// What is explained, and the choices that hold for the whole tree.
import { type Choice, choiceOf, searchField } from "../lib/controls.ts";
import { button, fill, h } from "../lib/dom.ts";
import { number, percent } from "../lib/words.ts";
import type { Session, TreeChecks } from "./session.ts";
import type { Method } from "./tree.ts";
import { wording } from "./words.ts";

const MOST_CHANNELS = 24;
const METHODS: [Method, string][] = [
  ["gradient", "Estimate"],
  ["ablation", "Exact"],
];

export class Header {
  readonly element = h("header", { class: "hx-header" });
  private readonly title = h("h2", { class: "hx-title" });
  private readonly count = h("output", { "aria-live": "polite" });
  private readonly fewer: HTMLButtonElement;
  private readonly more: HTMLButtonElement;
  private readonly method: Choice<Method>;
  private readonly notes = h("details", { class: "hx-notes", hidden: true });

  constructor(
    private readonly session: Session,
    checks: TreeChecks,
    retarget: (target: string | number) => unknown,
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
    this.method = choiceOf("How contributions are found", METHODS, (method) =>
      this.changeMethod(method),
    );
    const faith = checks.line(
      () => wording(session.tree.root, session.tree),
      () => session.tree.root,
    );
    const search = searchField("Explain another class", session.model.get("classes"), retarget);
    const heading = h("div", {}, this.title, faith.element, this.notes);
    const tools = h("div", { class: "hx-tools" }, this.method.element, search, stepper);
    this.element.append(heading, tools);
    session.on((change) => change === "tree" && this.update());
    session.on((change) => (change === "tree" || change === "checks") && faith.write());
    faith.write();
    this.update();
  }

  private update(): void {
    const { target, top_k: topK, nodes } = this.session.tree.payload;
    fill(
      this.title,
      h("span", { class: "hx-why" }, nodes.negated[0] ? "Why not " : "Why "),
      h("b", {}, target.name),
      h("span", { class: "hx-why" }, "?"),
      h("small", {}, `${percent(target.probability)} · logit ${number(target.logit)}`),
    );
    this.writeNotes();
    this.method.show(this.now);
    this.count.textContent = String(topK);
    this.fewer.disabled = topK <= 1;
    this.more.disabled = topK >= MOST_CHANNELS;
    this.element.classList.toggle("hx-still", !this.session.live);
  }

  /** What is to be known of the whole tree: the first note on its line, all of them at the pointer,
   * and the others below it on opening it, as where the keyboard comes to it. */
  private writeNotes(): void {
    const { notes } = this.session.tree.payload;
    const [first, ...others] = notes;
    this.notes.hidden = first === undefined;
    if (first === undefined) return;
    const more = others.length > 0 ? h("small", {}, `+${others.length}`) : null;
    const summary = h("summary", { title: notes.join("\n") }, h("span", {}, first), more);
    summary.addEventListener("focus", () => {
      if (summary.matches(":focus-visible")) this.notes.open = true;
    });
    fill(this.notes, summary, ...others.map((text) => h("p", {}, text)));
  }

  private changeMethod(method: Method): void {
    if (method !== this.now) void this.session.ask("method", { method });
  }

  private get now(): Method {
    return this.session.tree.payload.method ?? "gradient";
  }

  private step(by: number): void {
    void this.session.ask("top_k", { top_k: this.session.tree.payload.top_k + by });
  }
}
