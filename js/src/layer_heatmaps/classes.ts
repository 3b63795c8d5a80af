// The classes: the image's strongest first, each with its probability, then all others by name.
import { button, fill, h } from "../lib/dom.ts";
import { searchField } from "../lib/search.ts";
import { percent } from "../lib/words.ts";
import type { Session } from "./session.ts";
import type { Key } from "./sheet.ts";

export class Classes {
  readonly element = h("section", { class: "hx-classes" });
  private readonly list = h("ol", { class: "hx-bars", "aria-label": "Classes in the grid" });

  constructor(private readonly session: Session) {
    this.element.append(h("h3", {}, "Classes"), this.list);
    if (session.live) {
      const names = session.model.get("classes");
      const choose = (target: number | string) => void session.choose(target);
      this.element.append(searchField("Add a class", names, choose));
    }
    session.on((change) => {
      if (change === "sheet" || change === "arrangement") this.update();
    });
    this.update();
  }

  private update(): void {
    const { sheet, arrangement } = this.session;
    const offered: Key[] = sheet.payload.predictions.map((one) => one.index);
    const mapped = sheet.payload.targets.map((one) => one.key);
    const others = [...arrangement.classes, ...(this.session.live ? [] : mapped)];
    const known = new Set(this.session.live ? offered : mapped);
    const keys = [...new Set([...offered, ...others])];
    const at = [...this.list.querySelectorAll("button")].indexOf(
      document.activeElement as HTMLButtonElement,
    );
    fill(this.list, ...keys.map((key) => h("li", {}, this.row(key, known))));
    if (at >= 0) this.list.querySelectorAll("button")[at]?.focus();
  }

  private row(key: Key, known: ReadonlySet<Key>): HTMLElement {
    const { sheet, arrangement, live } = this.session;
    const [name, likely] = [sheet.name(key), sheet.probability(key)];
    const on = arrangement.classes.includes(key);
    const press = () => (on ? arrangement.remove(key) : arrangement.add(key));
    const row = button("", press, {
      "aria-pressed": String(on),
      disabled: !live && !known.has(key),
      title: on ? `Take ${name} away` : `Show ${name}`,
    });
    const bar = h("span", { class: "hx-bar" });
    bar.style.width = `${100 * (likely ?? 0)}%`;
    row.append(
      bar,
      h("span", { class: "hx-tick", "aria-hidden": "true" }, on ? "✓" : ""),
      h("span", { class: "hx-name" }, name),
      h("span", {}, likely === null ? "" : percent(likely)),
    );
    return row;
  }
}
