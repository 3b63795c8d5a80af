// A decision inferred from scene to color: a card with a map for each concept, links between them.
import "./concept_tree.css";
import type { AnyModel } from "@anywidget/types";
import { button, h } from "../lib/dom.ts";
import { type Banner, view, workLine } from "../lib/view.ts";
import { legend } from "./card.ts";
import { header } from "./header.ts";
import { Panel } from "./panel.ts";
import { conceptChecks, inferring, Session, type State } from "./session.ts";
import { ConceptKeys, Stage } from "./stage.ts";
import { conceptList } from "./words.ts";

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const stage = new Stage(session);
  const keys = new ConceptKeys(session, stage);
  const checks = conceptChecks(session);
  const panel = new Panel(session, checks, (concept) => stage.focus(concept));
  const tools = h(
    "div",
    { class: "hx-buttons", role: "toolbar", "aria-label": "The tree" },
    button("Open all", () => session.setOpen(session.inference.concepts.values(), true)),
    button("Fold others", () => session.arrange({ open: session.selected.line.map((c) => c.key) })),
    keys.sheet.hint,
  );
  const foot = h("div", { class: "hx-foot" }, legend(session), tools);
  const main = h("div", { class: "hx-main" }, stage.element, foot, conceptList(session));
  root.append(header(session, checks), h("div", { class: "hx-body" }, panel.element, main));
  root.append(keys.sheet.element);
  root.prepend(workLine(session, () => inferring(session)));
  stage.element.addEventListener("keydown", (event) => keys.press(event));
  void session.load();
  checks.start();
  return () => {
    for (const part of [stage, panel, session]) part.close();
    root.remove();
  };
}

export default view("concept_tree", "hx-concept-tree", build);
