// Decisions inferred from scene to color, as rings: an image or a set of images in each chart.
import "./concept_sunburst.css";
import type { AnyModel } from "@anywidget/types";
import { fill, h } from "../lib/dom.ts";
import { type Banner, view, workLine } from "../lib/view.ts";
import { placed } from "./card.ts";
import { Charts } from "./charts.ts";
import { ringsKey } from "./gauge.ts";
import { header } from "./header.ts";
import { Panel } from "./panel.ts";
import { conceptChecks, inferring, Session, type State } from "./session.ts";
import { conceptList, weakness } from "./words.ts";

const EMPTY = "No concept was found that the decision rests on.";

/** Under each chart how weak the map in its middle is beside those of its level. */
function sayWeak(session: Session, charts: HTMLElement): void {
  for (const figure of charts.querySelectorAll<HTMLElement>(".hx-chart")) {
    const set = Number(figure.dataset.set);
    const many = (session.sets[set]?.images ?? 0) > 0; // an album has no map
    const weak = many ? "" : weakness(session.zoom, session, set);
    const caption = figure.querySelector("figcaption");
    const line = caption?.querySelector(".hx-weak") ?? h("span", { class: "hx-of-it hx-weak" });
    line.textContent = weak;
    caption?.append(line);
  }
}

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const charts = new Charts(session);
  const checks = conceptChecks(session);
  const panel = new Panel(session, checks, (concept) => session.zoomTo(concept));
  const empty = h("p", { class: "hx-empty" }, EMPTY);
  const legend = h("div", { class: "hx-legend" });
  const update = () => {
    fill(legend, empty, ringsKey(placed(session.sets)));
    empty.hidden = session.inference.root.children.length > 0;
    sayWeak(session, charts.element);
  };
  session.on((change) => (change === "inference" || change === "arrangement") && update());
  update();
  const tools = h("div", { class: "hx-buttons" }, charts.sheet.hint);
  const foot = h("div", { class: "hx-foot" }, legend, tools);
  const main = h("div", { class: "hx-main" }, charts.element, foot, conceptList(session));
  root.append(header(session, checks), h("div", { class: "hx-body" }, main, panel.element));
  root.append(charts.sheet.element);
  root.prepend(workLine(session, () => inferring(session)));
  void session.load();
  checks.start();
  return () => {
    for (const part of [charts, panel, session]) part.close();
    root.remove();
  };
}

export default view("concept_sunburst", "hx-concept-sunburst", build);
