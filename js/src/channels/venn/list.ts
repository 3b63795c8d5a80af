// The regions as a table: what the diagram shows, in words and numbers.
import { button, fill, h, short } from "../../lib/dom.ts";
import { tint } from "./classes.ts";
import type { Region, Session } from "./session.ts";

export class RegionList {
  readonly element = h("section", { class: "hx-regions", "aria-label": "Regions" });
  private readonly rows = new Map<string, HTMLTableRowElement>();

  constructor(private readonly session: Session) {}

  draw(): void {
    const { regions } = this.session;
    const most = Math.max(1, ...regions.map((one) => one.size));
    this.rows.clear();
    fill(
      this.element,
      h(
        "table",
        {},
        h("caption", {}, "Channels by the classes that share them"),
        h(
          "tbody",
          {},
          ...regions.map((region) => {
            const row = this.row(region, most);
            this.rows.set(region.key, row);
            return row;
          }),
        ),
      ),
    );
    this.emphasise();
  }

  emphasise(): void {
    const { region, hovered, marked, channel } = this.session;
    for (const [key, row] of this.rows) {
      row.classList.toggle("hx-on", key === region?.key);
      row.classList.toggle("hx-hovered", key === hovered?.key);
      row.querySelector("button")?.setAttribute("aria-pressed", String(key === region?.key));
      const mark = row.querySelector(".hx-mark") as HTMLElement;
      mark.textContent = key === marked?.key ? `#${channel}` : "";
    }
  }

  private row(region: Region, most: number): HTMLTableRowElement {
    const bar = h("i", { "aria-hidden": "true" });
    bar.style.width = `${(100 * region.size) / most}%`;
    const dots = this.session.overlap.classes.map((_, i) => {
      const dot = h("i", { class: region.classes.includes(i) ? "hx-in" : "" });
      dot.style.setProperty("--hx-tint", tint(i));
      return dot;
    });
    const look = button("", () => this.session.look(region), { title: region.name });
    look.append(short(region.name));
    const row = h(
      "tr",
      {},
      h("td", { class: "hx-members", "aria-hidden": "true" }, ...dots),
      h("th", { scope: "row" }, look),
      h("td", { class: "hx-mark" }),
      h("td", { class: "hx-part" }, bar),
      h("td", { class: "hx-number" }, String(region.size)),
    );
    row.addEventListener("pointerenter", () => this.session.hover(region));
    row.addEventListener("pointerleave", () => this.session.hover(null));
    return row;
  }
}
