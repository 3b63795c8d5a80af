// The chosen filter: its images large, what overlaps it, and its name.
import { button, fill, h, short } from "../lib/dom.ts";
import { number } from "../lib/words.ts";
import { NO_PART } from "./choice.ts";
import { Field } from "./field.ts";
import { type Painter, sized } from "./painter.ts";
import { offered, silent } from "./payload.ts";
import type { Session } from "./session.ts";
import { NONE } from "./words.ts";

const SIDE = 164;

export class Details {
  readonly element = h("section", { class: "hx-details", "aria-label": "Chosen filter" });
  readonly field: Field;
  private readonly head = h("div", { class: "hx-chosen-head", "aria-live": "polite" });
  private readonly pictures = h("div", { class: "hx-strongest" });
  private readonly parts = h("div", { class: "hx-overlaps" });
  private readonly undo: HTMLButtonElement;
  private readonly none: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  private drawn = -2;

  constructor(
    private readonly session: Session,
    private readonly painter: Painter,
    done: () => void,
  ) {
    this.field = new Field(session, done);
    const act = (run: () => void) => () => {
      run();
      done();
    };
    this.none = button(
      "",
      act(() => session.name(session.at, NO_PART)),
      { "aria-label": "No part" },
    );
    fill(this.none, "No part ", h("kbd", {}, "−"));
    this.remove = button(
      "",
      act(() => session.name(session.at, null)),
      { "aria-label": "Take the name away" },
    );
    fill(this.remove, "Unname ", h("kbd", {}, "Del"));
    this.undo = button(
      "",
      act(() => session.undo()),
      { "aria-label": "Undo" },
    );
    fill(this.undo, "Undo ", h("kbd", {}, "Ctrl Z"));
    this.element.append(
      this.head,
      this.pictures,
      this.field.element,
      h("div", { class: "hx-answers" }, this.none, this.remove, this.undo),
      this.parts,
    );
    session.on((change) => {
      if (change === "busy") return;
      if (change === "pixels") this.drawn = -2;
      this.draw();
    });
    this.draw();
  }

  private draw(): void {
    const { session } = this;
    const { at, names, sheet } = session;
    const name = names[at];
    for (const part of [this.pictures, this.field.element, this.parts]) part.hidden = at < 0;
    this.none.disabled = at < 0 || name === NO_PART;
    this.remove.disabled = name === undefined;
    this.undo.disabled = !session.undoable;
    fill(
      this.head,
      ...(at < 0 ? [h("p", { class: "hx-soft" }, "No filter is chosen.")] : this.title()),
    );
    if (at < 0) return;
    this.parts.hidden = silent(sheet, at);
    this.overlaps();
    if (this.drawn === at) return;
    if (this.drawn >= 0) this.field.clear();
    this.drawn = at;
    this.paint();
  }

  private title(): HTMLElement[] {
    const { at, names, sheet } = this.session;
    const name = names[at];
    const words = name === undefined ? "unnamed" : name === NO_PART ? NONE : name;
    const kind = name ? "hx-given" : "hx-ungiven";
    return [
      h("h3", {}, `Filter #${at} `, h("span", { class: kind }, words)),
      h(
        "p",
        { class: "hx-soft" },
        silent(sheet, at)
          ? "It never fires: it has one value everywhere on these images."
          : `Outlined where it is above ${number(sheet.thresholds[at] as number)}, the ${sheet.quantile} quantile of its values.`,
      ),
    ];
  }

  private paint(): void {
    const { at, sheet } = this.session;
    const ranking = sheet.ranking?.[at];
    const values = sheet.values[at] ?? [];
    const figures = values.slice(0, 4).map((value, i) => {
      const canvas = h("canvas", {
        role: "img",
        "aria-label": `Image ${i + 1} of those where filter ${at} is strongest: ${number(value)}`,
      });
      return [canvas, h("figure", {}, canvas, h("figcaption", {}, number(value)))] as const;
    });
    const said = ranking && h("p", { class: "hx-soft hx-ranking" }, ranking);
    fill(this.pictures, ...figures.map(([, figure]) => figure), said);
    for (const [i, [canvas]] of figures.entries()) {
      const finer = sized(canvas, SIDE, SIDE);
      const context = canvas.getContext("2d");
      if (!context) continue;
      void this.painter
        .paint(context, at, i, [0, 0, SIDE * finer], () => !canvas.isConnected)
        .catch((error) => this.session.complain(error));
    }
  }

  private overlaps(): void {
    const { at, sheet, names } = this.session;
    const found = offered(sheet, at);
    if (found.length === 0) {
      const why = sheet.best.some((one) => one.length > 0)
        ? "Its region overlaps no labelled part."
        : "";
      fill(this.parts, why && h("p", { class: "hx-soft" }, why));
      return;
    }
    const chance = sheet.chance[at];
    const most = Math.max(...found.map(({ iou }) => iou), chance ?? 0, sheet.least);
    fill(
      this.parts,
      h("h4", {}, "Overlap with labelled parts"),
      h(
        "ol",
        { class: "hx-bars" },
        ...found.map(({ part, iou }, i) =>
          h(
            "li",
            {},
            this.bar(part, iou, most, i === 0 ? chance : undefined, i === 0, names[at] === part),
          ),
        ),
      ),
      h("p", { class: "hx-soft hx-scale" }, ...this.scale(chance, found[0]?.iou ?? 0)),
    );
  }

  private bar(
    part: string,
    iou: number,
    most: number,
    chance: number | undefined,
    first: boolean,
    taken: boolean,
  ): HTMLElement {
    const { session } = this;
    const bar = h("i", { class: "hx-bar" });
    bar.style.width = `${(100 * iou) / most}%`;
    const mark = chance === undefined ? null : h("i", { class: "hx-chance" });
    if (mark) mark.style.left = `${(100 * (chance as number)) / most}%`;
    const made = button("", () => session.name(session.at, part), {
      "aria-label": `${part}, IoU ${number(iou)}`,
      "aria-pressed": String(taken),
      class: iou < session.sheet.least ? "hx-below" : null,
    });
    fill(
      made,
      bar,
      mark,
      short(part, "hx-name"),
      first && iou >= session.sheet.least && h("kbd", {}, "Space"),
      h("span", {}, iou.toFixed(2)),
    );
    return made;
  }

  private scale(chance: number | undefined, best: number): (HTMLElement | string)[] {
    const { least } = this.session.sheet;
    const low = best < least ? [`Below ${least}: no suggestion. `] : [];
    if (chance === undefined)
      return [...low, "Sum of intersections over sum of unions, all labelled images."];
    const told = `by chance ${chance.toFixed(2)}: with labels exchanged between images.`;
    return [...low, h("i", { class: "hx-chance-key" }), told];
  }
}
