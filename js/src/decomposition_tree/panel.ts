// What is looked at: the node, large, with its map over the image, the scale and its facts; and the
// path to it from the image to the edge, map and guided picture of every step.

import { mapRamp } from "../lib/colours.ts";
import { button, fill, h, short, svg } from "../lib/dom.ts";
import { scaled } from "../lib/heat.ts";
import { number, percent } from "../lib/words.ts";
import type { Box } from "./geometry.ts";
import type { Shown } from "./painter.ts";
import type { Change, Session, TreeChecks } from "./session.ts";
import type { TreeNode } from "./tree.ts";
import { levelName, nodeName, sentences, unitOf, weakness, wording } from "./words.ts";

const SHOWN: [Shown, string][] = [
  ["map", "Map"],
  ["guided", "Guided"],
  ["image", "Image"],
];
const LENS_BELOW = 0.36; // a field smaller than this part of the image is magnified
const PIXELS = 560;

/** The node that is looked at, large: its map over the image, its scale and facts; the prediction. */
export class Panel {
  readonly element = h("div", {
    class: "hx-panel",
    role: "group",
    tabindex: 0,
    "aria-label": "The node looked at",
  });
  private readonly canvas = h("canvas", { role: "img" });
  private readonly lens = h("canvas", {
    class: "hx-lens",
    width: 240,
    height: 240,
    "aria-hidden": "true",
  });
  private readonly marks = svg("svg", { class: "hx-marks", "aria-hidden": "true" });
  private readonly scale = h("div", { class: "hx-scale" });
  private readonly facts = h("div", { class: "hx-facts" });
  private readonly bars = h("ol", { class: "hx-bars", "aria-label": "Strongest classes" });
  private readonly slider = h("input", {
    type: "range",
    min: 0,
    max: 100,
    "aria-label": "Opacity of the map",
  });
  private readonly choices = new Map<Shown, HTMLButtonElement>();
  private readonly faith;
  private painting = 0;

  constructor(
    private readonly session: Session,
    checks: TreeChecks,
    private readonly retarget: (target: number) => void,
  ) {
    this.faith = checks.line(
      () => wording(session.current, session.tree),
      () => session.current,
    );
    this.element.append(
      h("div", { class: "hx-picture" }, this.canvas, this.marks, this.lens),
      this.controls(),
      this.scale,
      this.facts,
      this.faith.element,
      h("div", { class: "hx-prediction" }, h("h3", {}, "Prediction"), this.bars),
    );
    session.on((change) => this.follow(change));
    this.follow("tree");
  }

  close(): void {
    cancelAnimationFrame(this.painting);
  }

  private controls(): HTMLElement {
    const group = h("div", {
      class: "hx-choice",
      role: "group",
      "aria-label": "What the tiles show",
    });
    for (const [shown, label] of SHOWN) {
      const choice = button(label, () => this.session.arrangement.change({ shown }));
      this.choices.set(shown, choice);
      group.append(choice);
    }
    this.slider.addEventListener("input", () =>
      this.session.arrangement.change({ opacity: Number(this.slider.value) / 100 }),
    );
    return h(
      "div",
      { class: "hx-controls" },
      group,
      h("label", {}, h("span", {}, "Opacity"), this.slider),
    );
  }

  private follow(change: Change): void {
    if (change === "busy") return;
    this.faith.write();
    if (change === "checks") return;
    const { shown, opacity } = this.session.arrangement;
    for (const [name, choice] of this.choices)
      choice.setAttribute("aria-pressed", String(name === shown));
    this.slider.disabled = shown !== "map";
    this.slider.value = String(Math.round(100 * opacity));
    if (change === "tree") this.writeBars();
    this.writeFacts(this.session.current);
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private paint(): void {
    const node = this.session.current;
    const [height, width] = this.session.tree.payload.size;
    const { shown, opacity } = this.session.arrangement;
    Object.assign(this.canvas, scaled({ width, height }, PIXELS));
    this.session.painter.paint(this.canvas, node, [0, 0, width, height], shown, opacity);
    this.canvas.setAttribute("aria-label", this.described(node));
    this.drawMarks(node, width, height);
    this.drawLens(node, width, height);
    this.writeScale(node);
  }

  private described(node: TreeNode): string {
    const what = node.parent ? `Activation map of ${this.title(node)}` : "The image";
    return `${what} over the image`;
  }

  private drawMarks(node: TreeNode, width: number, height: number): void {
    this.marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
    if (!node.parent) {
      fill(this.marks);
      return;
    }
    fill(
      this.marks,
      outline("hx-outline-back", node.facts.box),
      outline("hx-outline", node.facts.box),
    );
  }

  /** A small field is shown magnified, in the corner that is farthest from it. */
  private drawLens(node: TreeNode, width: number, height: number): void {
    const { shown, opacity } = this.session.arrangement;
    const crop = shown === "map" ? node.facts.crop : node.facts.fieldCrop;
    const small = crop[2] - crop[0] < LENS_BELOW * Math.min(width, height);
    this.lens.hidden = !small || !node.parent;
    if (this.lens.hidden) return;
    this.session.painter.paint(this.lens, node, crop, shown, opacity);
    this.lens.classList.toggle("hx-left", crop[0] + crop[2] > width);
    this.lens.classList.toggle("hx-top", crop[1] + crop[3] > height);
  }

  private writeScale(node: TreeNode): void {
    this.scale.hidden = !node.parent || this.session.arrangement.shown !== "map";
    if (this.scale.hidden) return;
    const { bar, marks, zero } = mapRamp(node.map, 25);
    if (zero !== null) bar.append(tickAt(zero));
    const weak = weakness(node, this.session.words);
    fill(
      this.scale,
      bar,
      marks,
      h(
        "p",
        {},
        `${zero !== null ? "against (blue) and for: " : ""}${unitOf(node, this.session.tree)}, per cell`,
      ),
      weak !== "" && h("p", {}, `${weak} beside it`),
    );
  }

  private title(node: TreeNode): string {
    const name = nodeName(node, this.session.tree);
    return node.parent ? `${name}, ${levelName(node.layer).toLowerCase()}` : name;
  }

  private writeFacts(node: TreeNode): void {
    const { tree } = this.session;
    const layer = node.layer
      ? `${node.layer.name} · ${node.layer.shape.join(" × ")}`
      : "the decision";
    fill(
      this.facts,
      h("h3", {}, this.title(node)),
      h("p", { class: "hx-layer" }, layer),
      ...sentences(node, tree).map((text) => h("p", {}, text)),
    );
  }

  private writeBars(): void {
    const { predictions, target } = this.session.tree.payload;
    const rows = predictions.map((one) => {
      const bar = h("span", { class: "hx-bar" });
      bar.style.width = `${100 * one.probability}%`;
      const row = button("", () => this.retarget(one.index), {
        "aria-pressed": String(one.index === target.index),
        disabled: !this.session.live,
        title: `Explain ${one.name} (logit ${number(one.logit)})`,
      });
      row.append(bar, short(one.name, "hx-name"), h("span", {}, percent(one.probability)));
      return h("li", {}, row);
    });
    fill(this.bars, ...rows);
  }
}

function tickAt(place: number): HTMLElement {
  const tick = h("i", {});
  tick.style.left = `${place}%`;
  return tick;
}

function outline(name: string, [x0, y0, x1, y1]: Box): SVGRectElement {
  return svg("rect", { class: name, x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
}

const STEP_PIXELS = 240;

/** One path from the image to the edge, in one look: map and guided picture of every step. */
export class Strip {
  readonly element = h("div", {
    class: "hx-strip",
    role: "group",
    tabindex: 0,
    "aria-label": "The path, step by step",
  });
  private shown = "";
  private painting = 0;

  constructor(
    private readonly session: Session,
    private readonly look: (node: TreeNode) => void,
  ) {
    session.on((change) => this.follow(change));
    this.follow("tree");
  }

  close(): void {
    cancelAnimationFrame(this.painting);
  }

  private follow(change: Change): void {
    if (change === "busy") return;
    const wanted = `${this.session.line.map((node) => node.key).join("/")} ${this.session.current.key}`;
    if (change === "tree" || wanted !== this.shown) this.build();
    this.shown = wanted;
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.session.guard(() => this.paint()));
  }

  private build(): void {
    const { current, line } = this.session;
    this.element.classList.toggle("hx-still", !this.session.live);
    this.element.replaceChildren(
      ...line.map((node) => {
        const step = this.step(node);
        step.classList.toggle("hx-current", node === current);
        step.classList.toggle("hx-next", node.depth > current.depth);
        return step;
      }),
    );
  }

  private step(node: TreeNode): HTMLElement {
    const pixels = { width: STEP_PIXELS, height: STEP_PIXELS };
    const pictures = node.parent
      ? [
          h("canvas", { ...pixels, "data-shown": "map" }),
          h("canvas", { ...pixels, "data-shown": "guided" }),
        ]
      : [h("canvas", { ...pixels, "data-shown": "image" })];
    const name = node.parent
      ? [
          h("strong", {}, levelName(node.layer)),
          h("span", {}, `#${node.facts.channel}`),
          h("span", {}, percent(node.facts.share)),
        ]
      : [h("strong", {}, "Image"), short(this.session.tree.payload.target.name)];
    const step = h(
      "button",
      { type: "button", class: "hx-step", "data-path": node.key, tabindex: -1 },
      h("div", { class: "hx-step-name" }, ...name),
      h("div", { class: "hx-step-pictures" }, ...pictures),
    );
    step.addEventListener("click", () => this.look(node));
    return step;
  }

  private paint(): void {
    const { painter, line, arrangement } = this.session;
    for (const [i, node] of line.entries()) {
      for (const canvas of this.element.children[i]?.querySelectorAll("canvas") ?? []) {
        const shown = canvas.dataset.shown as "map" | "guided" | "image";
        const missing = shown === "guided" && !painter.hasPicture(node.key);
        canvas.classList.toggle("hx-missing", missing);
        canvas.title = missing ? "guided backpropagation not drawn yet" : "";
        painter.paintCrop(canvas, node, shown, Math.max(0.7, arrangement.opacity));
      }
    }
  }
}
