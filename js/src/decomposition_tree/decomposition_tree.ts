// A decision taken apart: the image and the prediction, the tree below it, and the path looked at.
import "./decomposition_tree.css";
import type { AnyModel } from "@anywidget/types";
import { button, h, onceSeen } from "../lib/dom.ts";
import { type Banner, view, workLine } from "../lib/view.ts";
import { Chooser } from "./chooser.ts";
import { Header } from "./header.ts";
import { TreeKeys } from "./keys.ts";
import { Panel, Strip } from "./panel.ts";
import { Session, type State, type TreeChecks, treeChecks } from "./session.ts";
import { Stage } from "./stage.ts";

const WORK: Record<string, string> = {
  expand: "Decomposing",
  candidates: "Listing channels",
  top_k: "Decomposing again",
  retarget: "Decomposing another class",
  pictures: "Drawing guided backpropagation",
  method: "Finding contributions",
  check: "Checking against ablation",
};

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const stage = new Stage(session);
  const retarget = (target: string | number) => session.ask("retarget", { target });
  const checks = treeChecks(session);
  const panel = new Panel(session, checks, retarget);
  const strip = new Strip(session, (node) => session.select(node));
  const chooser = new Chooser(session, () => stage.focus(session.selected));
  const keys = new TreeKeys(session, stage, chooser);
  root.append(
    new Header(session, checks, retarget).element,
    h(
      "div",
      { class: "hx-body" },
      panel.element,
      h("div", { class: "hx-main" }, stage.element, strip.element),
    ),
  );
  stage.element.append(tools(session, stage, keys, chooser));
  root.prepend(workLine(session, () => treeWork(session)));
  stage.element.append(chooser.element, keys.sheet.element);
  stage.element.addEventListener("keydown", (event) => keys.press(event));
  fetchWhenSeen(session, stage, checks);
  void session.load().catch((error) => banner.show(error));
  return () => {
    for (const part of [stage, panel, strip, session]) part.close();
    root.remove();
  };
}

function tools(session: Session, stage: Stage, keys: TreeKeys, chooser: Chooser): HTMLElement {
  const all = () => [...session.tree.nodes.values()].filter((node) => node.children.length > 0);
  const openAll = () =>
    session.arrangement.setOpen(
      session.tree,
      all().map((node) => node.key),
      true,
    );
  const foldAll = () => {
    const line = session.selected.line.map((node) => node.key);
    session.arrangement.change({ open: line });
    stage.fitAll();
  };
  return h(
    "div",
    { class: "hx-buttons", role: "toolbar", "aria-label": "The tree" },
    button("Expand all", openAll),
    button("Fold others", foldAll),
    session.live && button("Channels…", () => void chooser.open(session.selected)),
    button("Fit", () => stage.fitAll()),
    button("−", () => stage.zoom(0.8), { "aria-label": "Zoom out" }),
    button("+", () => stage.zoom(1.25), { "aria-label": "Zoom in" }),
    keys.sheet.hint,
  );
}

/** What the kernel is doing for the view. */
function treeWork(session: Session): string | null {
  const kind = session.work;
  return kind === null ? null : (WORK[kind] ?? "Working");
}

/** Pictures and checks are asked for when the tree is on the screen, and after every change of it. */
function fetchWhenSeen(session: Session, stage: Stage, checks: TreeChecks): void {
  onceSeen(stage.element, () => {
    session.on((change) => {
      if (["tree", "arrangement", "look", "checks"].includes(change)) void session.fetchPictures();
    });
    checks.start();
    session.wantPictures(() => stage.inOrder());
  });
}

export default view("decomposition_tree", "", build);
