// Names for the filters of a layer: a grid of filters, the chosen one large, a name to type.
import "./filter_labeler.css";
import type { AnyModel } from "@anywidget/types";
import { h } from "../lib/dom.ts";
import { type Banner, view } from "../lib/view.ts";
import { Details } from "./details.ts";
import { Grid } from "./grid.ts";
import { Header } from "./header.ts";
import { LabelKeys } from "./keys.ts";
import { Painter } from "./painter.ts";
import { Session, type State } from "./session.ts";

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const painter = new Painter(session);
  const grid = new Grid(session, painter);
  const details = new Details(session, painter, () => grid.focus());
  const keys = new LabelKeys(session, grid, details);
  root.append(
    new Header(session, keys.sheet.hint, () => grid.focus()).element,
    h("div", { class: "hx-body" }, grid.element, details.element),
    keys.sheet.element,
  );
  root.addEventListener("keydown", (event) => keys.press(event));
  void session.load().catch((error) => banner.show(error));
  return () => {
    grid.close();
    session.close();
    root.remove();
  };
}

export default view("filter_labeler", "hx-labeler", build);
