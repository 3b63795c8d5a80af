// What the view shows, how far it has come, and which filters are in the grid.
import { channelField, choiceOf } from "../lib/controls.ts";
import { button, fill, h } from "../lib/dom.ts";
import { counted } from "../lib/words.ts";
import { partChoice, partsInUse, progress, shownFilters } from "./choice.ts";
import { labelsFile } from "./payload.ts";
import type { Session } from "./session.ts";
import { luck, told } from "./words.ts";

const SHOWN = [
  ["all", "All"],
  ["unnamed", "Unnamed"],
  ["suggested", "Suggested"],
] as const;

export class Header {
  readonly element = h("header", { class: "hx-labeler-head" });
  private readonly line = h("output", { class: "hx-told", "aria-live": "polite" });
  private readonly bar = h("i", {});
  private readonly rest = h("i", { class: "hx-without" });
  private readonly choice;
  private readonly parts = h("select", { "aria-label": "Filters of a part" });
  private listed = "";

  constructor(
    private readonly session: Session,
    keys: HTMLElement,
    look: () => void,
  ) {
    const { sheet } = session;
    const filters = channelField(
      "filter",
      (filter) => {
        if (!session.order.includes(filter)) session.showOnly("all");
        session.choose(filter);
        look();
      },
      session.complain,
    );
    const offer = () =>
      filters.offer([...sheet.shown.keys()], (filter) => session.names[filter] ?? "");
    session.on((change) => change === "names" && offer());
    offer();
    this.choice = choiceOf("Which filters", SHOWN, (show) => session.showOnly(show));
    this.parts.addEventListener("change", () => session.showOnly(this.parts.value));
    keys.setAttribute("aria-label", "Keys");
    this.element.append(
      h(
        "div",
        { class: "hx-header" },
        h(
          "h2",
          { class: "hx-title" },
          h("span", { class: "hx-why" }, "Filters of "),
          h("b", {}, sheet.layer.name),
          h("small", {}, `${sheet.model} · ${counted(sheet.images, "image")}`),
        ),
        h(
          "div",
          { class: "hx-progress" },
          this.line,
          h("div", { class: "hx-track" }, this.bar, this.rest),
        ),
      ),
      h(
        "div",
        { class: "hx-labeler-tools" },
        this.choice.element,
        this.parts,
        filters.element,
        h(
          "div",
          { class: "hx-folds" },
          button("Download", () => this.download(), { title: "Write the names to a JSON file" }),
          keys,
        ),
      ),
      ...[luck(sheet), ...sheet.notes]
        .filter(Boolean)
        .map((words) => h("p", { class: "hx-note" }, words)),
    );
    session.on((change) => change !== "busy" && change !== "pixels" && this.draw());
    this.draw();
  }

  private draw(): void {
    const { sheet, names, show } = this.session;
    const { named, without, of } = progress(sheet, names);
    this.line.textContent = told(sheet, names);
    this.bar.style.width = `${(100 * named) / Math.max(1, of)}%`;
    this.rest.style.width = `${(100 * without) / Math.max(1, of)}%`;
    this.choice.show(show as (typeof SHOWN)[number][0]);
    for (const [i, [value, label]] of SHOWN.entries()) {
      const count = shownFilters(sheet, names, value).length;
      fill(this.choice.element.children[i] as Element, `${label} `, h("small", {}, String(count)));
    }
    this.list(without);
  }

  private list(without: number): void {
    const { names, show } = this.session;
    const used = partsInUse(names);
    const key = JSON.stringify([used, without]);
    if (key !== this.listed) {
      this.listed = key;
      const options: [string, string][] = [
        ["", used.length > 0 ? "By part …" : "No part named yet"],
        ...used.map(([name, count]): [string, string] => [partChoice(name), `${name} (${count})`]),
      ];
      if (without > 0) options.push(["without", `no part (${without})`]);
      fill(this.parts, ...options.map(([value, words]) => h("option", { value }, words)));
    }
    this.parts.disabled = used.length === 0 && without === 0;
    this.parts.value = show;
    if (this.parts.selectedIndex < 0) this.parts.value = "";
    this.parts.classList.toggle("hx-on", this.parts.value !== "");
  }

  private download(): void {
    const { sheet, names } = this.session;
    const url = URL.createObjectURL(
      new Blob([labelsFile(sheet, names)], { type: "application/json" }),
    );
    const link = h("a", { href: url, download: `${sheet.layer.name}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}
