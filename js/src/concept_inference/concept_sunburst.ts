// Decisions inferred from scene to color, as rings: an image or a set of images in each chart.
import "./concept_sunburst.css";
import type { AnyModel } from "@anywidget/types";
import { h } from "../lib/dom.ts";
import { type Banner, view, workLine } from "../lib/view.ts";
import { Charts } from "./charts.ts";
import { ringsKey } from "./gauge.ts";
import { header } from "./header.ts";
import { Panel } from "./panel.ts";
import { conceptChecks, inferring, Session, type State } from "./session.ts";
import { conceptList } from "./words.ts";

const EMPTY = "No concept was found that the decision rests on.";

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const charts = new Charts(session);
  const checks = conceptChecks(session);
  const panel = new Panel(session, checks, (concept) => session.zoomTo(concept));
  const empty = h("p", { class: "hx-empty" }, EMPTY);
  const update = () => {
    empty.hidden = session.inference.root.children.length > 0;
  };
  session.on((change) => change === "inference" && update());
  update();
  const legend = h("div", { class: "hx-legend" }, empty, ringsKey());
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
