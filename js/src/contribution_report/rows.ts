// One image's rows: a waterfall from bias to score, or the names that belong to a pie.

import { fill, h, setAttribute, short } from "../lib/dom.ts";
import { number } from "../lib/words.ts";
import { walk } from "./keys.ts";
import { type Session, type Spot, spotOf } from "./session.ts";
import { type Domain, placeOf, type Step, spanOf, ticksOf } from "./waterfall.ts";
import { exact, signed } from "./words.ts";

const TICKS = 4;

export interface Row {
  readonly spot: Spot;
  readonly value: number;
  /** What stands between name and number. */
  readonly mark: HTMLElement;
}

/** A list to walk along; what is looked at in one image is looked at in all. */
export class Rows {
  readonly element: HTMLElement;
  private readonly options = new Map<Spot, HTMLElement>();

  constructor(
    private readonly session: Session,
    image: number,
    kind: string,
    rows: readonly Row[],
    across: (by: number) => void,
  ) {
    const label = `Contributions to ${session.report.target}, image ${image + 1}, in logits`;
    this.element = h("div", { class: `hx-rows ${kind}`, role: "listbox", "aria-label": label });
    for (const row of rows) this.element.append(this.option(row));
    const spots = rows.map(({ spot }) => spot);
    this.element.addEventListener("keydown", (event) =>
      walk(session, event, spots, (spot) => this.focus(spot), across),
    );
    this.element.addEventListener("pointerleave", () => session.hover(null));
    this.element.addEventListener("focusout", () => session.hover(null));
    this.look();
  }

  focus(spot: Spot | null): void {
    const option = spot === null ? undefined : this.options.get(spot);
    (option ?? [...this.options.values()][0])?.focus();
  }

  look(): void {
    const { current, chosen } = this.session;
    const stop = this.options.has(current ?? "") ? current : [...this.options.keys()][0];
    for (const [spot, option] of this.options) {
      option.classList.toggle("hx-on", spot === current);
      option.setAttribute("aria-selected", String(spot === chosen));
      setAttribute(option, "tabindex", spot === stop ? 0 : -1);
    }
  }

  private option({ spot, value, mark }: Row): HTMLElement {
    const { session } = this;
    const name = session.nameOf(spot);
    const unnamed = spot === `concept ${session.report.unnamed}`;
    const unfolds = spot === "others" && session.chart !== "pie";
    const option = h(
      "div",
      {
        class: `hx-row hx-is-${spot.split(" ")[0]}${unnamed ? " hx-unnamed" : ""}`,
        role: "option",
        "aria-label": `${name}: ${exact(value)} logits`,
        title: `${name}: ${exact(value)} logits${unfolds ? "; click to unfold" : ""}`,
      },
      short(name, "hx-name"),
      mark,
      h("span", { class: "hx-number" }, signed(value)),
    );
    option.addEventListener("pointerenter", () => session.hover(spot));
    option.addEventListener("focus", () => session.hover(spot));
    option.addEventListener("click", () => session.choose(spot));
    this.options.set(spot, option);
    return option;
  }
}

/** The rows of a waterfall, each bar joined to the next where it ends. */
export function waterfall(session: Session, steps: readonly Step[]): Row[] {
  return steps.map((step, i) => {
    const last = i >= steps.length - 2; // the rest ends at the score, whose bar says so itself
    return { spot: spotOf(step), value: step.value, mark: track(step, session.domain, last) };
  });
}

function track(step: Step, domain: Domain, last: boolean): HTMLElement {
  const { start, length } = spanOf(step, domain);
  const bar = h("i", { class: `hx-step ${step.value < 0 ? "hx-against" : "hx-for"}` });
  bar.style.left = `${100 * start}%`;
  bar.style.width = `${100 * length}%`;
  const zero = h("i", { class: "hx-zero" });
  zero.style.left = `${100 * placeOf(0, domain)}%`;
  const joint = h("i", { class: "hx-joint" });
  joint.style.left = `${100 * placeOf(step.to, domain)}%`;
  const end = last && step.kind === "score";
  return h("span", { class: "hx-track", "aria-hidden": "true" }, zero, bar, !end && joint);
}

/** The scale below a waterfall. */
export function axis(domain: Domain): HTMLElement {
  const ticks = ticksOf(domain, TICKS).map((value) => {
    const tick = h("span", {}, number(value));
    tick.style.left = `${100 * placeOf(value, domain)}%`;
    return tick;
  });
  const scale = h("span", { class: "hx-scale" });
  fill(scale, ...ticks);
  return h(
    "div",
    { class: "hx-row hx-axis", "aria-hidden": "true" },
    h("span", { class: "hx-name" }, "logits"),
    scale,
    h("span", {}),
  );
}
