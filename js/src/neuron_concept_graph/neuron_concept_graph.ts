// Neurons and concepts: a concept tree and neurons, joined by ribbons as wide as their scores.
import "./neuron_concept_graph.css";
import type { AnyModel } from "@anywidget/types";
import { h } from "../lib/dom.ts";
import { type Banner, view, workLine, workOf } from "../lib/view.ts";
import { Details } from "./details.ts";
import { header, Tools } from "./header.ts";
import { Session, type State } from "./session.ts";
import { Stage } from "./stage.ts";
import { Table } from "./table.ts";

const WORK = {
  layer: "Turning to another layer",
  estimator: "Scoring neurons",
  maps: "Looking for the concept",
  portraits: "Fetching regions of a neuron",
};

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const tools = new Tools(session);
  const stage = new Stage(session);
  const details = new Details(session);
  const work = workLine(session, () => workOf(session.kernel, WORK));
  root.append(
    header(session),
    tools.element,
    h("div", { class: "hx-body" }, stage.element, details.element),
    new Table(session).element,
  );
  root.prepend(work);
  void details.load().catch((error) => banner.show(error));
  return () => {
    for (const part of [tools, stage, details, session]) part.close();
    root.remove();
  };
}

export default view("neuron_concept_graph", "hx-neuron-graph", build);
