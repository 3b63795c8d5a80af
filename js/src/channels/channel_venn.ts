// Channels that classes share: circles or columns, the table of regions, and a region's channels.
import "./channel_venn.css";
import type { AnyModel } from "@anywidget/types";
import { channelField, choiceOf, layerSelect } from "../lib/controls.ts";
import { fill, h } from "../lib/dom.ts";
import { type Banner, view, workLine, workOf } from "../lib/view.ts";
import { layerName } from "../lib/words.ts";
import { agreementLine, ClassChecks } from "./agreement.ts";
import { Cards } from "./venn/cards.ts";
import { Circles } from "./venn/circles.ts";
import { Classes } from "./venn/classes.ts";
import { Columns } from "./venn/columns.ts";
import { LimitControl } from "./venn/limit.ts";
import { RegionList } from "./venn/list.ts";
import { MOST_CIRCLES, Session, type State } from "./venn/session.ts";

const WORK = {
  overlap: "Comparing channels",
  portraits: "Fetching images of channels",
  check: "Checking against ablation",
};

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const places = () => [...session.overlap.classes.keys()];
  const checks = new ClassChecks(session, () => (session.fetching ? [] : places()));
  const limit = new LimitControl(session);
  const plot = new Plot(session);
  const cards = new Cards(session);
  const work = workLine(session, () => workOf(session.kernel, WORK));
  root.append(
    header(session, agreementLine(session, checks, places)),
    h("div", { class: "hx-bar-line" }, new Classes(session, checks).element, limit.element),
    h("div", { class: "hx-body" }, plot.element, cards.element),
  );
  root.prepend(work);
  session.on((change) => {
    if (change === "channel") cards.emphasise();
    else if (change === "portraits") cards.fillIn();
    else if (change !== "checks" && change !== "busy") cards.draw();
  });
  cards.draw();
  void cards.load().catch((error) => banner.show(error));
  checks.start();
  return () => {
    for (const part of [limit, plot, cards, session]) part.close();
    root.remove();
  };
}

function header(session: Session, agreement: HTMLElement): HTMLElement {
  const layers = layerSelect(session.layers, (layer) => void session.change({ layer }));
  const where = h("small", {});
  const show = () => {
    const { layer } = session.overlap;
    layers.show(layer);
    where.textContent = layerName(session.layers, layer);
  };
  session.on((change) => (change === "overlap" || change === "busy") && show());
  show();
  const channels = channelField("channel", (one) => session.seek(one), session.complain);
  const offer = () => channels.offer(session.listed);
  session.on((change) => change === "overlap" && offer());
  offer();
  const title = h("h2", { class: "hx-title" }, h("b", {}, "Shared channels"), where);
  return h(
    "header",
    { class: "hx-header" },
    h("div", {}, title, agreement),
    h("div", { class: "hx-tools" }, channels.element, session.live && layers.element),
  );
}

/** The diagram in one of its two shapes, its switches, and the table of regions. */
class Plot {
  readonly element: HTMLElement;
  private readonly stage = h("div", { class: "hx-plot-stage" });
  private readonly circles: Circles;
  private readonly columns: Columns;
  private readonly list: RegionList;
  private readonly notes = h("div", { class: "hx-notes" });
  private readonly shape;
  private readonly sort;
  private readonly watch: ResizeObserver;
  private width = 0;

  constructor(private readonly session: Session) {
    this.circles = new Circles(session);
    this.columns = new Columns(session);
    this.list = new RegionList(session);
    this.shape = choiceOf(
      "Diagram",
      [
        ["venn", "Venn"],
        ["upset", "UpSet"],
      ] as const,
      (shape) => session.arrange({ shape }),
    );
    this.sort = choiceOf(
      "Columns by",
      [
        ["size", "by size"],
        ["classes", "by classes"],
      ] as const,
      (sort) => session.arrange({ sort }),
    );
    const switches = h("div", { class: "hx-switches" }, this.shape.element, this.sort.element);
    this.element = h(
      "div",
      { class: "hx-plot" },
      switches,
      this.stage,
      this.list.element,
      this.notes,
    );
    this.watch = new ResizeObserver(() => session.guard(() => this.resize()));
    this.watch.observe(this.stage);
    session.on((change) => {
      if (change === "overlap" || change === "region") this.draw();
      if (change === "channel") this.emphasise();
    });
    this.draw();
  }

  close(): void {
    this.watch.disconnect();
  }

  private resize(): void {
    if (this.stage.clientWidth === this.width) return;
    this.draw();
  }

  private draw(): void {
    const { session } = this;
    const { shape } = session;
    const focus = this.element.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-region")
      : null;
    this.width = this.stage.clientWidth;
    const drawing = shape === "venn" ? this.circles : this.columns;
    fill(this.stage, drawing.element);
    drawing.draw(Math.max(280, this.width));
    this.list.draw();
    this.shape.element.hidden = session.overlap.classes.length > MOST_CIRCLES;
    this.sort.element.hidden = shape === "venn";
    this.shape.show(shape);
    this.sort.show(session.saved.sort ?? "size");
    fill(this.notes, ...session.overlap.notes.map((note) => h("p", {}, note)), this.few());
    if (focus) this.stage.querySelector<SVGElement>(`[data-region="${focus}"]`)?.focus();
  }

  // fewer than asked for: only channels that speak for a class count
  private few(): HTMLElement | false {
    const { top, classes } = this.session.overlap;
    const short = classes.filter((_, i) => top !== null && this.session.sizeOf(i) < top);
    if (short.length === 0) return false;
    const who = short.length > 3 ? `${short.length} classes` : short.join(", ");
    return h(
      "p",
      {},
      `${who}: fewer than ${top} channels have a positive importance; all of them are shown.`,
    );
  }

  private emphasise(): void {
    this.circles.emphasise();
    this.columns.emphasise();
    this.list.emphasise();
  }
}

export default view("channel_venn", "hx-channel-venn", build);
