// The choices that hold for all maps: method, colour scale, what is drawn, and the sparsity.

import { choiceOf, take } from "../lib/controls.ts";
import { button, fill, h, setAttribute } from "../lib/dom.ts";
import { number } from "../lib/words.ts";
import { type Scale, SPARSITY, sparsityAt, stepFor } from "./heat_grid.ts";
import { signedRamp } from "./panel.ts";
import type { Session } from "./session.ts";
import { aboutMethod, contestWords, methodLabel } from "./words.ts";

export const SCALES: [Scale, string, string][] = [
  ["map", "Each map", "Every map from zero to its own largest value"],
  ["layer", "Each layer", "One scale per layer: compare classes"],
  ["all", "All", "One scale for all maps"],
];

const KINDS: readonly (readonly ["contested" | "plain", string])[] = [
  ["contested", "against others"],
  ["plain", "alone"],
];

export class Header {
  readonly element = h("header", { class: "hx-header" });
  private readonly title = h("h2", { class: "hx-title" });
  private readonly methods = h("div", { class: "hx-choice", role: "radiogroup" });

  constructor(private readonly session: Session) {
    this.methods.setAttribute("aria-label", "Method");
    this.methods.addEventListener("keydown", (event) => this.step(event));
    this.element.append(this.title, this.methods);
    session.on((change) => (change === "sheet" || change === "arrangement") && this.update());
    this.update();
  }

  private update(): void {
    const { sheet, arrangement } = this.session;
    const names = arrangement.classes.map((target) => sheet.name(target));
    fill(
      this.title,
      h("span", { class: "hx-why" }, "Where is "),
      ...names.flatMap((name, i) => [i > 0 && h("span", {}, ", "), h("b", {}, name)]),
      h("span", { class: "hx-why" }, "?"),
    );
    const focus = this.methods.contains(document.activeElement);
    fill(this.methods, ...sheet.payload.methods.map(({ name }) => this.choice(name)));
    this.methods.hidden = sheet.payload.methods.length < 2;
    if (focus) this.methods.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }

  private choice(method: string): HTMLElement {
    const on = method === this.session.arrangement.method;
    return button(methodLabel(method), () => this.session.show(method), {
      role: "radio",
      "aria-checked": String(on),
      "aria-label": method,
      tabindex: on ? 0 : -1,
      title: aboutMethod(method),
    });
  }

  private step(event: KeyboardEvent): void {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    take(event);
    const names = this.session.sheet.payload.methods.map((one) => one.name);
    const at = names.indexOf(this.session.arrangement.method);
    this.session.show(names[(at + by + names.length) % names.length] ?? "");
  }
}

export class Toolbar {
  readonly element = h("div", { class: "hx-controls hx-heat-tools", role: "toolbar" });
  private readonly scales = new Map<Scale, HTMLButtonElement>();
  private readonly contest = choiceOf("Each class", KINDS, (kind) =>
    this.session.arrangement.change({ plain: kind === "plain" }),
  );
  private readonly kinds = h(
    "div",
    { class: "hx-labelled" },
    h("span", {}, "Each class"),
    this.contest.element,
  );
  private readonly signed: HTMLButtonElement;
  private readonly boxes: HTMLButtonElement;
  private readonly opacity = slider("Opacity of the maps", 100);
  private readonly sparsity = slider("Sparsity", SPARSITY.steps);
  private readonly reading = h("output", { "aria-live": "polite" });

  constructor(private readonly session: Session) {
    const { arrangement } = session;
    this.element.setAttribute("aria-label", "How the maps are drawn");
    this.signed = button("Both signs", () => arrangement.change({ signed: !arrangement.signed }), {
      title: "Show in blue what speaks against the class, too",
    });
    this.boxes = button("Boxes", () => arrangement.change({ boxes: !arrangement.boxes }), {
      title: "The box of the region that each map points at",
    });
    this.opacity.addEventListener("input", () =>
      arrangement.change({ opacity: Number(this.opacity.value) / 100 }),
    );
    this.sparsity.addEventListener("input", () =>
      session.refit(sparsityAt(Number(this.sparsity.value))),
    );
    this.element.append(
      this.kinds,
      this.scaleChoice(),
      h("div", { class: "hx-toggles" }, this.signed, this.boxes),
      h("label", {}, h("span", {}, "Opacity"), this.opacity),
      h("label", { class: "hx-sparsity" }, h("span", {}, "Sparsity"), this.sparsity, this.reading),
    );
    session.on((change) => change !== "look" && change !== "busy" && this.update());
    this.update();
  }

  private scaleChoice(): HTMLElement {
    const group = h("div", { class: "hx-choice", role: "group", "aria-label": "Colour scale" });
    for (const [scale, label, title] of SCALES) {
      const choice = button(label, () => this.session.arrangement.change({ scale }), { title });
      this.scales.set(scale, choice);
      group.append(choice);
    }
    return h("div", { class: "hx-labelled" }, h("span", {}, "Colour scale"), group);
  }

  private update(): void {
    const { arrangement, sheet, live, coming } = this.session;
    for (const [scale, choice] of this.scales)
      setAttribute(choice, "aria-pressed", String(scale === arrangement.scale));
    this.kinds.hidden = this.session.kinds.length < 2;
    this.contest.show(this.session.contested ? "contested" : "plain");
    setAttribute(this.signed, "aria-pressed", String(arrangement.signed));
    setAttribute(this.boxes, "aria-pressed", String(arrangement.boxes));
    this.opacity.value = String(Math.round(100 * arrangement.opacity));
    const sparsity = coming ?? sheet.payload.sparsity;
    (this.sparsity.parentElement as HTMLElement).hidden = sparsity === null;
    const weighed = sheet.weighed(arrangement.method);
    this.sparsity.disabled = !live || !weighed;
    const why = weighed ? "" : `${arrangement.method} does not depend on it`;
    setAttribute(this.sparsity, "title", why || null);
    if (sparsity === null) return;
    this.sparsity.value = `${stepFor(sparsity, Number(this.sparsity.value))}`;
    this.sparsity.setAttribute("aria-valuetext", number(sparsity));
    this.reading.textContent = number(sparsity);
    this.reading.classList.toggle("hx-coming", coming !== null);
  }
}

/** What the colours stand for, under the grid. */
export class Legend {
  readonly element = h("div", { class: "hx-legend" });

  constructor(private readonly session: Session) {
    session.on((change) => (change === "sheet" || change === "arrangement") && this.update());
    this.update();
  }

  private update(): void {
    const { shown, arrangement } = this.session;
    const first = shown.find((cell) => !cell.picture);
    this.element.hidden = !first;
    if (!first) return;
    const { scale, signed } = arrangement;
    const shared = number(this.session.strongest(first));
    const high = { map: "largest of each map", layer: "largest of each layer", all: shared }[scale];
    const low = signed ? (scale === "all" ? `−${shared}` : "as far against") : "0";
    const counted = shown.some((cell) => cell.channels);
    const { methods } = this.session.sheet.payload;
    const contest = methods.find((one) => one.name === first.method)?.contested;
    fill(
      this.element,
      signedRamp(signed, low, high),
      contest && h("p", { class: "hx-contest" }, contestWords(first.rivals)),
      h(
        "p",
        {},
        `Under each map: its largest value${counted ? ", and the channels with a weight" : ""}.`,
      ),
    );
  }
}

function slider(label: string, most: number): HTMLInputElement {
  return h("input", { type: "range", min: 0, max: most, "aria-label": label });
}
